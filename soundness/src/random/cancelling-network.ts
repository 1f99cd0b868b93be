import {
  add,
  affine,
  avgPool,
  batchNorm,
  buildParams,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  graph,
  type HostTensor,
  type Model,
  paramSpecs,
  type Rng,
  relu,
  type Shape,
  sequential,
  sizeOf,
  statSpecs,
} from '@cert/core';
import type { HostNetwork } from '../network.js';

/**
 * Small models of every built-in op, by name, for tests of bounds: batch normalizations behind each layer that can take them in, behind another one and
 * behind a pooling, and residuals that are read twice.
 */
export const smallModels = (): { readonly name: string; readonly model: Model }[] => [
  { name: 'dense', model: sequential([40], [dense(30), relu(), dense(20), batchNorm(), relu(), dense(4)]) },
  {
    name: 'conv',
    model: sequential([6, 6, 2], [conv2d(4, { stride: 2 }), batchNorm(), batchNorm(), relu(), flatten(), dense(3)]),
  },
  { name: 'residual', model: residual() },
  {
    name: 'pooled',
    model: sequential(
      [6, 6, 2],
      [affine([3.3, -1.7], [-0.7, 0.3]), conv2d(4, { groups: 2 }), avgPool(2), batchNorm(), relu(), globalAvgPool()],
    ),
  },
];

function residual(): Model {
  const g = graph([4, 4, 2]);
  const stem = g.add(conv2d(3));
  g.add(batchNorm());
  g.add(relu());
  g.add(conv2d(3));
  const branch = g.add(batchNorm());
  const shortcut = g.add(conv2d(3, { kernel: 1, padding: 0 }), [stem]);
  const sum = g.add(add(), [branch, shortcut]);
  const active = g.add(relu());
  g.add(add(), [active, sum]);
  g.add(relu());
  g.add(globalAvgPool());
  g.add(dense(3));
  return g.build();
}

/** Random numbers for a model: every seventh weight is larger, by a factor that is drawn; variances from 0.001 to 10. */
export function cancellingNetwork(model: Model, rng: Rng): HostNetwork {
  const large = 10 ** (6 * rng.uniform() - 2);
  const tensor = (shape: Shape, draw: (i: number) => number): HostTensor => ({
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => draw(i)),
  });
  const draw = (shape: Shape) => {
    const scale = 1 / Math.sqrt(sizeOf(shape.slice(0, -1)));
    return tensor(shape, (i) => rng.normal() * scale * (i % 7 === 0 ? large : 1));
  };
  return {
    model,
    params: buildParams(paramSpecs(model), ({ shape }) => draw(shape)),
    stats: buildParams(statSpecs(model), ({ shape, name }) =>
      name === 'variance' ? tensor(shape, () => 10 ** (4 * rng.uniform() - 3)) : draw(shape),
    ),
  };
}

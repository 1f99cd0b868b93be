import {
  add,
  affine,
  avgPool,
  batchNorm,
  buildParams,
  concat,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  graph,
  type HostTensor,
  INPUT,
  leakyRelu,
  type Model,
  maxPool,
  paramSpecs,
  type Rng,
  relu,
  reshape,
  type Shape,
  sequential,
  sizeOf,
  statSpecs,
  transpose,
} from '@cert/core';
import type { HostNetwork } from '../network.js';

/**
 * Small models of every built-in op, by name, for tests of bounds: batch normalizations behind each layer that can take them in, behind another one and
 * behind a pooling, residuals that are read twice, windows of every geometry, and nodes that move numbers.
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
  {
    name: 'windows',
    model: sequential(
      [6, 5, 2],
      [
        conv2d(4, { kernel: [2, 3], stride: [1, 2], padding: [0, 1, 2, 0], groups: 2, dilation: [2, 1] }),
        batchNorm(),
        leakyRelu(0.3),
        avgPool([2, 3], { stride: 1, padding: [1, 0, 0, 2] }),
        maxPool(2, { stride: [2, 1], padding: [0, 1, 1, 0] }),
        relu(),
        avgPool(2, { padding: 1, countPadding: true }),
        flatten(),
        dense(3),
      ],
    ),
  },
  { name: 'moved', model: moved() },
];

/** Numbers that change places between the layers, one node twice; a scale and shift of each element. */
function moved(): Model {
  const g = graph([4, 3, 2]);
  const left = g.add(conv2d(3));
  const right = g.add(leakyRelu(0.1), [g.add(conv2d(1, { kernel: 1, padding: 0 }), [INPUT])]);
  g.add(concat(2, 3), [left, right, left]);
  const elements = Array.from({ length: 4 * 3 * 7 }, (_, i) => i);
  g.add(
    affine(
      elements.map((i) => 0.3 * (1 + (i % 5)) - 0.8),
      elements.map((i) => 0.1 * (i % 7) - 0.3),
    ),
  );
  g.add(transpose([2, 0, 1]));
  g.add(batchNorm());
  g.add(relu());
  g.add(reshape([6, 7, 2]));
  g.add(maxPool([3, 2], { stride: 1 }));
  g.add(flatten());
  g.add(dense(3));
  return g.build();
}

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

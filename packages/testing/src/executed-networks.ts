/** Networks on which float32 bounds without rounding are wrong, or nearly so, for tests of bounds that account for it. */
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
import type { HostNetwork } from './execution.js';
import type { NamedModel } from './models.js';

/** Small nets of every built-in op with bounds that account for rounding, batch normalization behind each layer that it can be folded into, and behind another. */
export const executionModels = (): NamedModel[] => [
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

function moved(): Model {
  const g = graph([4, 3, 2]);
  const left = g.add(conv2d(3));
  const right = g.add(leakyRelu(0.1), [g.add(conv2d(1, { kernel: 1, padding: 0 }), [INPUT])]);
  g.add(concat(2, 3), [left, right, left]);
  const size = 4 * 3 * 7;
  g.add(
    affine(
      Array.from({ length: size }, (_, i) => 0.3 * (1 + (i % 5)) - 0.8),
      Array.from({ length: size }, (_, i) => 0.1 * (i % 7) - 0.3),
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
  const draw = (shape: Shape): HostTensor => {
    const scale = 1 / Math.sqrt(sizeOf(shape.slice(0, -1)));
    const data = Float32Array.from(
      { length: sizeOf(shape) },
      (_, i) => rng.normal() * scale * (i % 7 === 0 ? large : 1),
    );
    return { shape, data };
  };
  const positive = (shape: Shape): HostTensor => ({
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, () => 10 ** (4 * rng.uniform() - 3)),
  });
  return {
    model,
    params: buildParams(paramSpecs(model), ({ shape }) => draw(shape)),
    stats: buildParams(statSpecs(model), ({ shape, name }) => (name === 'variance' ? positive(shape) : draw(shape))),
  };
}

/**
 * A network of one pixel x whose logits are u + 2^30 - 2^30 - 64 and 0, negated, with u = max(128 - 128 x, 0): class 0 wins where u < 64. Plain float32
 * bounds lose u and verify class 0 everywhere.
 */
export function vanishingNetwork(): HostNetwork {
  const tensor = (shape: Shape, ...data: number[]): HostTensor => ({ shape, data: Float32Array.from(data) });
  return {
    model: sequential([1], [dense(2), relu(), dense(1), dense(2)]),
    stats: {},
    params: {
      dense1: { kernel: tensor([1, 2], -128, 0), bias: tensor([2], 128, 2 ** 30) },
      dense2: { kernel: tensor([2, 1], 1, 1), bias: tensor([1], -(2 ** 30)) },
      dense3: { kernel: tensor([1, 2], -1, 0), bias: tensor([2], 64, 0) },
    },
  };
}

/** A float32 point of the ball around an image, clipped to [0, 1]: a corner or a point inside. */
export function pointInBall(x: Float32Array, epsilon: number, rng: Rng): Float32Array {
  const corner = rng.uniform() < 0.5;
  return x.map((value) => {
    const [low, high] = [Math.max(0, value - epsilon), Math.min(1, value + epsilon)];
    const at = corner ? Math.round(rng.uniform()) : rng.uniform();
    const point = Math.fround(low + at * (high - low));
    return point >= low && point <= high ? point : value;
  });
}

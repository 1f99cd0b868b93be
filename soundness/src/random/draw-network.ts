import {
  add,
  affine,
  avgPool,
  batchNorm,
  concat,
  conv2d,
  createRng,
  dense,
  flatten,
  globalAvgPool,
  graph,
  type HostTensor,
  INPUT,
  type Layer,
  leakyRelu,
  type Model,
  maxPool,
  type Rng,
  relu,
  reshape,
  type Shape,
  sequential,
  sizeOf,
  transpose,
} from '@cert/core';
import type { HostNetwork } from '../network.js';

/** A random network with the box that its bounds are checked on. */
export interface RandomProblem {
  readonly network: HostNetwork;
  readonly image: Float32Array;
  readonly label: number;
  readonly epsilon: number;
  readonly range: { readonly min: number; readonly max: number };
}

/** How many kinds of graphs {@link drawProblem} takes turns in. */
export const GRAPHS = 12;

/** The problem of a seed and a number: small networks that together have every op, moderate and large weights, wide and narrow boxes. */
export function drawProblem(seed: number, index: number): RandomProblem {
  const rng = createRng(seed, 'problem', index);
  const model = drawModel(rng, index % GRAPHS);
  // Narrow boxes are where rounding shows; in wide ones the bounds are far away.
  const epsilon = [0, 1e-7, 1e-6, 1e-4, 2 / 255, 0.1][rng.int(6)]!;
  const image = Float32Array.from(
    { length: sizeOf(model.inputShape) },
    () => [0, 1, rng.uniform()][rng.int(8)] ?? rng.uniform(),
  );
  return {
    network: { model, ...drawWeights(model, rng) },
    image,
    label: rng.int(model.classes),
    epsilon,
    range: { min: 0, max: 1 },
  };
}

function drawModel(rng: Rng, kind: number): Model {
  const between = betweenOf(rng);
  const classes = between(2, 4);
  switch (kind) {
    case 0:
      return sequential(
        [between(2, 24)],
        [dense(between(2, 24)), relu(), dense(between(2, 12)), relu(), dense(classes)],
      );
    case 1:
      return sequential(
        [between(2, 12)],
        [
          dense(between(4, 12)),
          batchNorm(),
          relu(),
          dense(between(4, 8)),
          batchNorm({ epsilon: 1e-3 }),
          relu(),
          dense(classes),
        ],
      );
    case 2:
      return sequential(
        [5, 4, 2],
        [
          conv2d(between(2, 4), { stride: between(1, 2) }),
          batchNorm(),
          relu(),
          conv2d(3, { kernel: 2, padding: 0 }),
          relu(),
          flatten(),
          dense(classes),
        ],
      );
    case 3:
      return residual(rng, classes);
    case 4:
      return sequential(
        [4, 4, 2],
        [
          affine([1 / 0.2, -1 / 0.3], [-0.5 / 0.2, 0.4 / 0.3]),
          conv2d(4, { groups: 2 }),
          avgPool(2),
          relu(),
          conv2d(classes, { kernel: 1, padding: 0 }),
          globalAvgPool(),
        ],
      );
    case 5:
      // Short sums and normalizations by themselves: nothing after them hides an error.
      return sequential([between(1, 3)], [dense(classes), batchNorm({ epsilon: 1e-5 })]);
    case 6:
      return sequential([classes], [batchNorm({ epsilon: 1e-3 })]);
    case 7:
      return windows(rng, classes);
    case 8:
      return moved(rng, classes);
    case 9: {
      // A leaky ReLU by itself, on numbers of which some are near 0.
      const scale = Array.from({ length: classes }, () => 10 ** between(-3, 3) * rng.normal());
      const shift = scale.map((s) => -s * rng.uniform());
      return sequential([classes], [affine(scale, shift), leakyRelu(slope(rng))]);
    }
    case 10: {
      // A mean by itself, of windows that see few pixels.
      const pool = avgPool([between(2, 4), between(1, 4)], {
        stride: 1,
        padding: [between(0, 1), 1, 0, 0],
        countPadding: rng.int(3) === 0,
      });
      return sequential([4, 4, 1], [pool, flatten()]);
    }
    default:
      // One long sum.
      return sequential([between(100, 400)], [dense(2), relu(), dense(classes)]);
  }
}

function residual(rng: Rng, classes: number): Model {
  const g = graph([4, 4, 2]);
  const stem = g.add(conv2d(2) as Layer);
  g.add(batchNorm());
  g.add(relu());
  g.add(conv2d(3));
  const branch = g.add(batchNorm());
  const shortcut = rng.int(2) === 0 ? g.add(conv2d(3, { kernel: 1, padding: 0 }), [stem]) : g.add(conv2d(3), [INPUT]);
  g.add(add(), [branch, shortcut]);
  g.add(relu());
  g.add(avgPool(3));
  g.add(flatten());
  g.add(dense(classes));
  return g.build();
}

/** Slopes that float32 holds or does not, 0 and a denormal number included. */
const slope = (rng: Rng): number => [0, 0.01, 0.1, 0.5, 0.999, 1e-40, rng.uniform()][rng.int(7)]!;

/** A convolution and poolings with windows of any geometry. */
function windows(rng: Rng, classes: number): Model {
  const between = betweenOf(rng);
  const pair = (from: number, to: number) => [between(from, to), between(from, to)] as const;
  const sides = (top: number, left: number) => [top, between(0, 1), left, between(0, 1)] as const;
  const mean = avgPool([2, 3], { stride: pair(1, 2), padding: sides(1, 2), countPadding: rng.int(2) === 0 });
  const maximum = maxPool([2, 2], { stride: pair(1, 2), padding: sides(1, 1) });
  const convolution = conv2d(4, {
    kernel: pair(1, 3),
    stride: pair(1, 2),
    padding: sides(between(0, 2), between(0, 2)),
    groups: between(1, 2),
    dilation: pair(1, 2),
  });
  return sequential(
    [7, 8, 2],
    [
      convolution,
      ...(rng.int(2) === 0 ? [batchNorm()] : []),
      leakyRelu(slope(rng)),
      ...(rng.int(2) === 0 ? [mean, maximum] : [maximum, mean]),
      flatten(),
      dense(classes),
    ],
  );
}

/** Branches of different forms behind each other, numbers in another order, and a scale and shift of each element. */
function moved(rng: Rng, classes: number): Model {
  const g = graph([3, 4, 2]);
  const left = g.add(conv2d(3));
  const axis = rng.int(3);
  if (axis === 2) {
    const right = g.add(leakyRelu(slope(rng)), [g.add(conv2d(1, { kernel: 1, padding: 0 }), [INPUT])]);
    g.add(concat(2, 3), [left, right, INPUT]);
  } else {
    g.add(concat(axis), [left, left]);
  }
  const size = 3 * 4 * 6;
  const numbers = () => Array.from({ length: size }, () => rng.normal());
  g.add(affine(numbers(), numbers()));
  g.add(transpose([[2, 0, 1] as const, [1, 0, 2] as const, [2, 1, 0] as const][rng.int(3)]!));
  g.add(rng.int(2) === 0 ? batchNorm() : leakyRelu(slope(rng)));
  g.add(reshape([size / 4, 2, 2]));
  g.add(maxPool([3, 2], { stride: [betweenOf(rng)(1, 3), 1] }));
  g.add(flatten());
  g.add(dense(classes));
  return g.build();
}

/** A whole number, both ends included. */
const betweenOf = (rng: Rng) => (from: number, to: number) => from + rng.int(to - from + 1);

/** Weights of one of three scales; one in eight is large, so that sums cancel. */
function drawWeights(model: Model, rng: Rng): Pick<HostNetwork, 'params' | 'stats'> {
  const size = [1, 30, 1e4][rng.int(3)]!;
  const outlier = () => (rng.int(8) === 0 ? 2 ** rng.int(12) : 1);
  const tensor = (shape: Shape, draw: () => number): HostTensor => ({
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, draw),
  });
  const params: { [node: string]: { [name: string]: HostTensor } } = {};
  const stats: { [node: string]: { [name: string]: HostTensor } } = {};
  for (const node of model.nodes) {
    const own: { [name: string]: HostTensor } = {};
    for (const [name, shape] of Object.entries(node.params as { readonly [name: string]: Shape })) {
      const fanIn = sizeOf(shape.slice(0, -1));
      own[name] = tensor(shape, () =>
        name === 'kernel' ? (size * outlier() * rng.normal()) / Math.sqrt(fanIn) : 2 * rng.normal() * outlier(),
      );
    }
    if (Object.keys(own).length > 0) params[node.name] = own;
    if (node.op !== 'batchNorm') continue;
    stats[node.name] = {
      mean: tensor(node.stats.mean, () => size * rng.normal()),
      variance: tensor(node.stats.variance, () => size * size * (rng.int(6) === 0 ? 0 : rng.uniform() ** 4)),
    };
  }
  return { params, stats };
}

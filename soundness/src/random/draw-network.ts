import {
  add,
  affine,
  avgPool,
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  globalAvgPool,
  graph,
  type HostTensor,
  type Layer,
  type Model,
  type Rng,
  relu,
  type Shape,
  sequential,
  sizeOf,
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
export const GRAPHS = 8;

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
  const between = (from: number, to: number) => from + rng.int(to - from + 1);
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
  const shortcut = rng.int(2) === 0 ? g.add(conv2d(3, { kernel: 1, padding: 0 }), [stem]) : g.add(conv2d(3), ['input']);
  g.add(add(), [branch, shortcut]);
  g.add(relu());
  g.add(avgPool(3));
  g.add(flatten());
  g.add(dense(classes));
  return g.build();
}

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

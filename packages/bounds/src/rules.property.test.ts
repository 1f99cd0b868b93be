import {
  add,
  affine,
  avgPool,
  type BatchNormStats,
  batchNorm,
  concat,
  conv2d,
  dense,
  flatten,
  fromBounds,
  type GraphBuilder,
  globalAvgPool,
  graph,
  INPUT,
  leakyRelu,
  type Model,
  maxPool,
  type Op,
  type Params,
  paramSpecs,
  relu,
  reshape,
  type Shape,
  sigmoid,
  sizeOf,
  statSpecs,
  type Tensor,
  tanh,
  tf,
  transpose,
} from '@cert/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ibp, naturalPass } from './index.js';

// Halves and quarters: zero crossings, zeros, ties and negative weights are common, and float32 sums are exact or nearly so.
const number = fc.integer({ min: -8, max: 8 }).map((n) => n / 4);
const width = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 8 }).map((n) => n / 4),
);
const size = fc.integer({ min: 1, max: 3 });
const image = fc.tuple(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 2, max: 4 }), size).map((s): Shape => s);
const vector = size.map((n): Shape => [n]);
const either = fc.oneof(image, vector);

type Build = (g: GraphBuilder) => string;
const chain =
  (layer: Parameters<GraphBuilder['add']>[0]): Build =>
  (g) =>
    g.add(layer);

/** One arbitrary layer an op: the input's shape and how to add it. A missing op is a type error. */
const layers = {
  conv2d: fc
    .tuple(
      image,
      size,
      size,
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 0, max: 1 }),
      fc.integer({ min: 1, max: 2 }),
    )
    .map(([[h, w, c], f, kernel, stride, padding, groups]): [Shape, Build] => [
      [h!, w!, c! * groups],
      chain(conv2d(f * groups, { kernel: Math.min(kernel, h!, w!), stride, padding, groups })),
    ]),
  dense: fc.tuple(vector, size).map(([shape, n]): [Shape, Build] => [shape, chain(dense(n))]),
  batchNorm: either.map((shape): [Shape, Build] => [shape, chain(batchNorm())]),
  relu: either.map((shape): [Shape, Build] => [shape, chain(relu())]),
  // x + relu(x): two different inputs that depend on each other.
  add: either.map((shape): [Shape, Build] => [shape, (g) => g.add(add(), [INPUT, g.add(relu(), [INPUT])])]),
  flatten: either.map((shape): [Shape, Build] => [shape, chain(flatten())]),
  globalAvgPool: image.map((shape): [Shape, Build] => [shape, chain(globalAvgPool())]),
  avgPool: image.map((shape): [Shape, Build] => [shape, chain(avgPool(2))]),
  maxPool: image.map((shape): [Shape, Build] => [shape, chain(maxPool(2, { stride: [1, 2], padding: [1, 0, 0, 1] }))]),
  leakyRelu: either.map((shape): [Shape, Build] => [shape, chain(leakyRelu(0.25))]),
  sigmoid: either.map((shape): [Shape, Build] => [shape, chain(sigmoid())]),
  tanh: either.map((shape): [Shape, Build] => [shape, chain(tanh())]),
  reshape: either.map((shape): [Shape, Build] => [shape, chain(reshape([1, sizeOf(shape)]))]),
  transpose: image.map((shape): [Shape, Build] => [shape, chain(transpose([2, 0, 1]))]),
  concat: either.map((shape): [Shape, Build] => [shape, (g) => g.add(concat(0), [INPUT, g.add(relu(), [INPUT])])]),
  affine: fc
    .tuple(either, fc.array(fc.tuple(number, number), { minLength: 3, maxLength: 3 }))
    .map(([shape, pairs]): [Shape, Build] => {
      const used = pairs.slice(0, shape.at(-1));
      return [
        shape,
        chain(
          affine(
            used.map(([s]) => s),
            used.map(([, b]) => b),
          ),
        ),
      ];
    }),
} satisfies {
  [K in Exclude<
    Op,
    'clip01' | 'crop' | 'distance' | 'inside' | 'mirror' | 'softmax' | 'steepRelu' | 'testGelu'
  >]: fc.Arbitrary<[Shape, Build]>;
};

/** Numbers from an endless list, in order. */
const feed = (list: readonly number[]) => {
  let next = 0;
  return () => list[next++ % list.length]!;
};
const fill = (shape: Shape, draw: () => number): Tensor =>
  tf.tensor(Float32Array.from({ length: sizeOf(shape) }, draw), [...shape]);

function parameters(model: Model, draw: () => number): { params: Params; norm: BatchNormStats } {
  const params: { [node: string]: { [name: string]: Tensor } } = {};
  for (const { node, name, shape } of paramSpecs(model)) params[node] = { ...params[node], [name]: fill(shape, draw) };
  const norm: { [node: string]: { mean: Tensor; variance: Tensor } } = {};
  for (const { node, shape } of statSpecs(model)) {
    norm[node] = { mean: fill(shape, draw), variance: fill(shape, () => Math.abs(draw()) + 0.25) };
  }
  return { params, norm };
}

describe('every rule of ibp: sampled points of the box land inside the bounds', () => {
  it.each(Object.entries(layers))('%s', (_op, arbitrary) => {
    const numbers = fc.array(number, { minLength: 11, maxLength: 40 });
    const property = fc.property(
      arbitrary,
      fc.integer({ min: 1, max: 2 }),
      numbers,
      fc.array(width, { minLength: 7, maxLength: 40 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 13, maxLength: 40 }),
      ([shape, build], batch, weights, widths, fractions) => {
        tf.tidy(() => {
          const g = graph(shape);
          build(g);
          g.add(flatten());
          const model = g.build();
          const { params, norm } = parameters(model, feed(weights));
          const full = [batch, ...shape];
          const lower = fill(full, feed(weights.toReversed()));
          const extent = fill(full, feed(widths));
          const { output } = ibp.bound({
            network: { model, params, norm },
            box: fromBounds(lower, tf.add(lower, extent)),
          });
          const [low, high] = [output.lower.dataSync(), output.upper.dataSync()];
          low.forEach((l, i) => {
            expect(l).toBeLessThanOrEqual(high[i]! + 1e-5);
          });
          // Both extreme corners, mixed corners, and points inside.
          const draw = feed(fractions);
          for (const position of [() => 0, () => 1, () => Math.round(draw()), draw, draw]) {
            const x = tf.add(lower, tf.mul(extent, fill(full, position)));
            naturalPass({ model, params, norm }, x)
              .output.dataSync()
              .forEach((value, i) => {
                expect(value).toBeGreaterThanOrEqual(low[i]! - 1e-4);
                expect(value).toBeLessThanOrEqual(high[i]! + 1e-4);
              });
          }
        });
      },
    );
    fc.assert(property, { numRuns: 40 });
  });
});

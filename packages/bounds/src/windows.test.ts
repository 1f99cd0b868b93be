import {
  avgPool,
  conv2d,
  flatten,
  graph,
  type Layer,
  type Model,
  maxPool,
  placesOf,
  type Shape,
  sizeOf,
  type Tensor,
  tf,
  type Window,
  windowOf,
} from '@cert/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { naturalPass } from './index.js';
import { addAtWindows, windowElements } from './windows.js';

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

/** A window and an image that has room for it. */
const setting = fc
  .record({
    size: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
    // One number on every side goes another way through TensorFlow.js.
    padding: fc.oneof(
      fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 2 }))),
      fc.integer({ min: 0, max: 2 }).map((n) => [n, n, n, n]),
    ),
    more: fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })),
  })
  .map(({ size, stride, dilation, padding, more }) => {
    const sides = size.map((n, i) => dilation[i]! * (n - 1) + 1 + more[i]!) as [number, number];
    return { size, stride, dilation, padding: padding as [number, number, number, number], sides };
  });

/** Whole numbers, so that sums are exact. */
const numbers = (shape: Shape, seed: number): Tensor =>
  tf.tensor(Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i + seed) * 7919) % 17 - 8), [...shape]); // biome-ignore format: one line

const alone = (shape: Shape, layer: Layer): Model => {
  const g = graph(shape);
  g.add(layer);
  g.add(flatten());
  return g.build();
};

/** What a window at a place of the output sees, one by one: the element of the window, and the pixel or undefined for padding. */
function seen({ size, stride, padding, dilation }: Window, [h, w]: Shape, y: number, x: number) {
  return Array.from({ length: size[0] * size[1] }, (_, k) => {
    const [ky, kx] = [Math.floor(k / size[1]), k % size[1]];
    const [row, column] = [
      y * stride[0] + ky * dilation[0] - padding[0],
      x * stride[1] + kx * dilation[1] - padding[2],
    ];
    const inside = row >= 0 && row < h! && column >= 0 && column < w!;
    return { ky, kx, pixel: inside ? ([row, column] as const) : undefined };
  });
}

/** The output of a layer of windows, by a rule for one place and channel of an image. */
function byHand(
  window: Window,
  image: number[][][],
  channels: number,
  rule: (places: ReturnType<typeof seen>, channel: number) => number,
): number[] {
  const sides = [image.length, image[0]!.length];
  const [rows, columns] = placesOf(window, sides);
  return Array.from({ length: rows * columns * channels }, (_, i) => {
    const [place, c] = [Math.floor(i / channels), i % channels];
    return rule(seen(window, sides, Math.floor(place / columns), place % columns), c);
  });
}

const run = (model: Model, x: Tensor, params = {}) => [...naturalPass({ model, params }, x).output.dataSync()];

describe('layers of windows agree with loops over pixels', () => {
  it('conv2d', () => {
    const property = fc.property(setting, fc.integer({ min: 1, max: 2 }), (attrs, groups) => {
      const { size: kernel, sides, ...rest } = attrs;
      const shape: Shape = [...sides, 2 * groups];
      const model = alone(shape, conv2d(groups * 2, { kernel, groups, ...rest }));
      const node = model.nodes[0]!;
      if (node.op !== 'conv2d') throw new Error(node.op);
      const [x, w] = [numbers([1, ...shape], 1), numbers(node.params.kernel, 5)];
      const [image] = x.arraySync() as number[][][][];
      const weights = w.arraySync() as number[][][][];
      const expected = byHand(windowOf(node), image!, groups * 2, (places, f) => {
        const first = Math.floor(f / 2) * 2;
        return places.reduce(
          (sum, { ky, kx, pixel }) =>
            pixel === undefined
              ? sum
              : [0, 1].reduce((s, k) => s + weights[ky]![kx]![k]![f]! * image![pixel[0]]![pixel[1]]![first + k]!, sum),
          f,
        );
      });
      const bias = tf.range(0, groups * 2);
      expect(run(model, x, { conv2d1: { kernel: w, bias } })).toEqual(expected);
    });
    fc.assert(property, { numRuns: 150 });
  });

  it('avgPool and maxPool', () => {
    const property = fc.property(setting, fc.boolean(), ({ size, sides, stride, padding }, countPadding) => {
      const shape: Shape = [...sides, 2];
      const least = padding.map((n, i) => Math.min(n, size[i < 2 ? 0 : 1]! - 1)) as [number, number, number, number];
      const options = { stride, padding: least };
      const x = numbers([1, ...shape], 3);
      const [image] = x.arraySync() as number[][][][];
      for (const layer of [avgPool(size, { ...options, countPadding }), maxPool(size, options)]) {
        const model = alone(shape, layer);
        const node = model.nodes[0]!;
        if (node.op !== 'avgPool' && node.op !== 'maxPool') throw new Error(node.op);
        const expected = byHand(windowOf(node), image!, 2, (places, c) => {
          const values = places.flatMap(({ pixel }) => (pixel ? [image![pixel[0]]![pixel[1]]![c]!] : []));
          const count = countPadding ? places.length : values.length;
          return node.op === 'maxPool' ? Math.max(...values) : values.reduce((a, b) => a + b, 0) / count;
        });
        expect(run(model, x)).toEqual(expected.map((value) => expect.closeTo(value, 4)));
      }
    });
    fc.assert(property, { numRuns: 150 });
  });
});

it('addAtWindows is the transpose of windowElements', () => {
  const property = fc.property(setting, ({ sides, ...window }) => {
    tf.tidy(() => {
      const shape: Shape = [...sides, 2];
      const x = numbers([2, ...shape], 1);
      const elements = windowElements(window, x, 0);
      const parts = elements.map((element, k) => numbers(element.shape, k));
      const there = elements.map((element, k) => tf.sum(tf.mul(element, parts[k]!)).dataSync()[0]!);
      const back = tf.sum(tf.mul(x, addAtWindows(window, parts, shape))).dataSync()[0];
      expect(there.reduce((a, b) => a + b, 0)).toBe(back);
    });
  });
  fc.assert(property, { numRuns: 150 });
});

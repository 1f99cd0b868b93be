import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  affine,
  avgPool,
  batchNorm,
  concat,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  leakyRelu,
  maxPool,
  normalize,
  relu,
  reshape,
  sigmoid,
  softmax,
  type Tensor4D,
  tanh,
  tf,
  transpose,
} from './index.js';

/** How many places a window of `size` has in a row of n pixels with p zeros on both sides, one by one. */
function places(n: number, size: number, stride: number, padding: number): number {
  let count = 0;
  for (let start = -padding; start + size <= n + padding; start += stride) count++;
  return count;
}

describe('shapes agree with counting and with the engine', () => {
  const size = fc.integer({ min: 1, max: 9 });
  const small = fc.integer({ min: 1, max: 3 });

  it('conv2d', () => {
    const setting = fc.record({
      h: size,
      w: size,
      kernel: small,
      stride: small,
      padding: fc.integer({ min: 0, max: 2 }),
      groups: small,
      out: small,
      c: small,
    });
    fc.assert(
      fc.property(setting, ({ h, w, kernel, stride, padding, groups, out, c }) => {
        const [channels, filters] = [c * groups, out * groups];
        const inferred = conv2d(filters, { kernel, stride, padding, groups }).infer([h, w, channels]);
        const [rows, columns] = [places(h, kernel, stride, padding), places(w, kernel, stride, padding)];
        if (rows === 0 || columns === 0) {
          expect(inferred).toMatch(/larger than the padded image/);
          return;
        }
        expect(inferred).toEqual({
          shape: [rows, columns, filters],
          params: { kernel: [kernel, kernel, c, filters], bias: [filters] },
          stats: {},
        });
        tf.tidy(() => {
          const y = tf.conv2d(
            tf.zeros([1, h, w, c]) as Tensor4D,
            tf.zeros([kernel, kernel, c, out]) as Tensor4D,
            stride,
            padding,
          );
          expect(y.shape.slice(1, 3)).toEqual([rows, columns]);
        });
      }),
      { numRuns: 80 },
    );
  });

  it('avgPool', () => {
    fc.assert(
      fc.property(size, size, small, (h, w, window) => {
        const inferred = avgPool(window).infer([h, w, 2]);
        const [rows, columns] = [places(h, window, window, 0), places(w, window, window, 0)];
        if (rows === 0 || columns === 0) expect(inferred).toBeTypeOf('string');
        else {
          expect(inferred).toMatchObject({ shape: [rows, columns, 2] });
          tf.tidy(() => {
            const y = tf.avgPool(tf.zeros([1, h, w, 2]) as Tensor4D, window, window, 'valid');
            expect(y.shape).toEqual([1, rows, columns, 2]);
          });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('conv2d, pools, with rows unlike columns', () => {
    const pair = fc.tuple(small, small);
    const four = fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 2 })));
    fc.assert(
      fc.property(size, size, pair, pair, pair, four, (h, w, kernel, stride, dilation, sides) => {
        const padding = sides as [number, number, number, number];
        const count = (n: number, axis: 0 | 1, gap: number, before: number, after: number) => {
          let found = 0;
          const reach = gap * (kernel[axis] - 1) + 1;
          for (let at = -before; at + reach <= n + after; at += stride[axis]) found++;
          return found;
        };
        const [top, bottom, left, right] = padding;
        const convolved = [count(h, 0, dilation[0], top, bottom), count(w, 1, dilation[1], left, right)];
        const inferred = conv2d(3, { kernel, stride, padding, dilation }).infer([h, w, 2]);
        if (Math.min(...convolved) === 0) expect(inferred).toMatch(/larger than the padded image/);
        else {
          expect(inferred).toMatchObject({ shape: [...convolved, 3], params: { kernel: [...kernel, 2, 3] } });
        }
        for (const pooled of [avgPool(kernel, { stride, padding }), maxPool(kernel, { stride, padding })]) {
          const found = pooled.infer([h, w, 2]);
          const places = [count(h, 0, 1, top, bottom), count(w, 1, 1, left, right)];
          if (Math.min(...places) === 0) expect(found).toMatch(/larger than the padded image/);
          else if (Math.max(top, bottom) >= kernel[0] || Math.max(left, right) >= kernel[1]) {
            expect(found).toMatch(/the padding .* is not smaller/);
          } else expect(found).toMatchObject({ shape: [...places, 2] });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('data that was written before stays what it was', () => {
    expect(conv2d(3).attrs).toEqual({ stride: 1, padding: 1, groups: 1 });
    expect(avgPool(2).attrs).toEqual({ size: 2 });
    expect(JSON.stringify(conv2d(3, { stride: 2, dilation: 2 }).attrs)).toBe(
      '{"stride":2,"padding":1,"groups":1,"dilation":2}',
    );
  });

  it('the others', () => {
    expect(dense(3).infer([5])).toMatchObject({ shape: [3], params: { kernel: [5, 3], bias: [3] } });
    expect(flatten().infer([2, 3, 4])).toMatchObject({ shape: [24] });
    expect(flatten().infer([7])).toMatchObject({ shape: [7] });
    expect(globalAvgPool().infer([5, 4, 3])).toMatchObject({ shape: [3] });
    expect(relu().infer([5, 4, 3])).toEqual({ shape: [5, 4, 3], params: {}, stats: {} });
    expect(batchNorm().infer([7])).toMatchObject({ shape: [7], stats: { mean: [7], variance: [7] } });
    expect(affine([1, 2], [0, 0]).infer([4, 4, 2])).toMatchObject({ shape: [4, 4, 2] });
    expect(affine([1, 2, 3, 4], [0, 0, 0, 0]).infer([2, 2])).toMatchObject({ shape: [2, 2] });
    for (const layer of [leakyRelu(), sigmoid(), tanh(), softmax()]) {
      expect(layer.infer([5, 4, 3])).toEqual({ shape: [5, 4, 3], params: {}, stats: {} });
    }
    expect(reshape([2, 6]).infer([3, 4])).toMatchObject({ shape: [2, 6] });
    expect(transpose([2, 0, 1]).infer([5, 4, 3])).toMatchObject({ shape: [3, 5, 4] });
    expect(concat(1, 3).infer([2, 3], [2, 1], [2, 4])).toMatchObject({ shape: [2, 8] });
  });
});

describe('what does not fit is said in words', () => {
  it.each([
    [
      'groups',
      conv2d(4, { groups: 3 }).infer([4, 4, 3]),
      /3 input and 4 output channels cannot be split into 3 groups/,
    ],
    ['no groups', conv2d(4, { groups: 0 }).infer([4, 4, 3]), /into 0 groups/],
    ['globalAvgPool of vectors', globalAvgPool().infer([4]), /height, width, channels/],
    ['affine of other channels', affine([1, 2], [0, 0]).infer([4, 4, 3]), /2 scales and 2 shifts for 3 channels/],
    ['a dilation of 0', conv2d(2, { dilation: 0 }).infer([4, 4, 1]), /its dilation is \[0,0\] instead of/],
    [
      'a padding below 0',
      conv2d(2, { padding: [0, -1, 0, 0] }).infer([4, 4, 1]),
      /its padding is \[0,-1,0,0\] instead of/,
    ],
    ['maxima of vectors', maxPool(2).infer([4]), /height, width, channels/],
    ['a slope of 1', leakyRelu(1).infer([4]), /the slope is 1 instead of a number >= 0 and < 1/],
    ['a slope that is not a number', leakyRelu(Number.NaN).infer([4]), /the slope is NaN instead of/],
    ['another number of elements', reshape([5]).infer([4]), /\[5] has 5 elements, but the input has 4/],
    ['an order with an axis twice', transpose([0, 0]).infer([4, 3]), /\[0,0] is not a permutation of the 2 input axes/],
    ['an axis too far', concat(1).infer([4], [4]), /there is no axis 1/],
    ['one input', concat(0, 1).infer([4]), /at least 2 inputs/],
    ['other lengths', concat(0).infer([4, 2], [4, 3]), /the input shapes may differ only along axis 0/],
    ['affine with lists of different lengths', affine([1, 2], [0]).infer([2]), /2 scales and 1 shifts/],
  ])('%s', (_name, inferred, message) => expect(inferred).toMatch(message));
});

it('normalize is (x - mean) / std', () => {
  const { scale, shift } = normalize([0.5, 0.25], [0.2, 0.5]).attrs;
  [0, 0.3, 1].forEach((x) => {
    expect(x * scale[0]! + shift[0]!).toBeCloseTo((x - 0.5) / 0.2, 12);
    expect(x * scale[1]! + shift[1]!).toBeCloseTo((x - 0.25) / 0.5, 12);
  });
});

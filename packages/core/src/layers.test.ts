import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  affine,
  avgPool,
  batchNorm,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  normalize,
  relu,
  type Tensor4D,
  tf,
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

  it('the others', () => {
    expect(dense(3).infer([5])).toMatchObject({ shape: [3], params: { kernel: [5, 3], bias: [3] } });
    expect(flatten().infer([2, 3, 4])).toMatchObject({ shape: [24] });
    expect(flatten().infer([7])).toMatchObject({ shape: [7] });
    expect(globalAvgPool().infer([5, 4, 3])).toMatchObject({ shape: [3] });
    expect(relu().infer([5, 4, 3])).toEqual({ shape: [5, 4, 3], params: {}, stats: {} });
    expect(batchNorm().infer([7])).toMatchObject({ shape: [7], stats: { mean: [7], variance: [7] } });
    expect(affine([1, 2], [0, 0]).infer([4, 4, 2])).toMatchObject({ shape: [4, 4, 2] });
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

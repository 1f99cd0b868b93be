import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CertError,
  centerOf,
  checkInterval,
  fromBounds,
  fromCenterRadius,
  type IntervalTensor,
  linfBall,
  radiusOf,
  tf,
} from './index.js';

const values = (box: IntervalTensor) => ({
  lower: [...box.lower.dataSync()],
  upper: [...box.upper.dataSync()],
  center: [...centerOf(box).dataSync()],
  radius: [...radiusOf(box).dataSync()],
});
const close = (a: number[], b: number[]) => {
  for (const [i, x] of a.entries()) expect(x).toBeCloseTo(b[i]!, 6);
};

describe('fromCenterRadius and fromBounds', () => {
  it('agree on a box', () => {
    const a = values(fromCenterRadius(tf.tensor1d([1, -2]), tf.tensor1d([0.5, 0])));
    const b = values(fromBounds(tf.tensor1d([0.5, -2]), tf.tensor1d([1.5, -2])));
    expect(a).toEqual({ lower: [0.5, -2], upper: [1.5, -2], center: [1, -2], radius: [0.5, 0] });
    expect(b).toEqual(a);
  });

  it.each([fromCenterRadius, fromBounds])('%o refuses tensors of different shapes', (make) => {
    const error = (() => {
      try {
        return make(tf.zeros([2, 3]), tf.zeros([3, 2]));
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(CertError);
    expect(error).toMatchObject({ code: 'shape-mismatch', problem: expect.stringContaining('[2,3] and [3,2]') });
  });
});

describe('linfBall', () => {
  it('clips to the range, by hand', () => {
    const box = values(linfBall(tf.tensor1d([0, 0.05, 0.5, 1]), 0.1));
    close(box.lower, [0, 0, 0.4, 0.9]);
    close(box.upper, [0.1, 0.15, 0.6, 1]);
    close(box.center, [0.05, 0.075, 0.5, 0.95]);
    close(box.radius, [0.05, 0.075, 0.1, 0.05]);
  });

  it('takes epsilon and range per channel', () => {
    const x = tf.tensor([0, 0, 1, 1], [1, 1, 2, 2]);
    const range = { min: [-1, -0.1], max: [2, 1.1] };
    const box = values(linfBall(x, tf.tensor1d([0.5, 0.25]), range));
    close(box.lower, [-0.5, -0.1, 0.5, 0.75]);
    close(box.upper, [0.5, 0.25, 1.5, 1.1]);
  });

  it('takes a scalar tensor, and no range', () => {
    const box = values(linfBall(tf.tensor1d([0, 1]), tf.scalar(0.25), null));
    expect(box).toEqual({ lower: [-0.25, 0.75], upper: [0.25, 1.25], center: [0, 1], radius: [0.25, 0.25] });
  });

  it('is max(x - epsilon, min), min(x + epsilon, max) for any x in the range, and carries the same as center and radius', () => {
    const image = fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(image, fc.float({ min: 0, max: 2, noNaN: true }), (x, epsilon) => {
        tf.tidy(() => {
          const box = values(linfBall(tf.tensor1d(x), epsilon));
          x.forEach((v, i) => {
            const [lower, upper] = [Math.max(v - epsilon, 0), Math.min(v + epsilon, 1)];
            expect(box.lower[i]).toBeCloseTo(lower, 6);
            expect(box.upper[i]).toBeCloseTo(upper, 6);
            expect(box.center[i]).toBeCloseTo((lower + upper) / 2, 6);
            expect(box.radius[i]).toBeCloseTo((upper - lower) / 2, 6);
            expect(box.lower[i]! <= v && v <= box.upper[i]!).toBe(true);
          });
        });
      }),
      { numRuns: 60 },
    );
  });

  it('keeps a radius of 1e-6, which lower and upper lose', () => {
    const box = linfBall(tf.tensor1d([0.9, 1]), 1e-6);
    const [inside, edge] = values(box).radius as [number, number];
    expect(Math.abs(inside / 1e-6 - 1)).toBeLessThan(1e-6);
    expect(Math.abs(edge / 0.5e-6 - 1)).toBeLessThan(1e-6);
    const coarse = values(fromBounds(box.lower, box.upper)).radius[0]!;
    expect(Math.abs(coarse / 1e-6 - 1)).toBeGreaterThan(0.01);
  });

  it.each([-0.1, Number.NaN, Number.POSITIVE_INFINITY])('refuses epsilon %d', (epsilon) => {
    expect(() => linfBall(tf.zeros([1]), epsilon)).toThrow(
      expect.objectContaining({ code: 'bad-argument', problem: `epsilon is ${epsilon}.` }),
    );
  });

  it('makes four tensors that are the caller’s, with and without a range', () => {
    const x = tf.tensor1d([0.5]);
    for (const range of [{ min: 0, max: 1 }, null]) {
      const before = tf.memory().numTensors;
      const box = linfBall(x, 0.1, range);
      expect(tf.memory().numTensors).toBe(before + 4);
      tf.dispose(box);
      expect(tf.memory().numTensors).toBe(before);
      expect(x.isDisposed).toBe(false);
    }
  });
});

describe('checkInterval', () => {
  const box = (lower: number[], upper: number[]) => ({ lower: tf.tensor1d(lower), upper: tf.tensor1d(upper) });

  it('accepts intervals, with slack for rounding', async () => {
    await checkInterval(box([0, 1], [0, 2]), 'here');
    await checkInterval(box([0.001], [0]), 'here', 0.01);
  });

  it.each([
    [[0, 1], [0, 0.5], 'here: element 1 of shape [2] has lower 1 and upper 0.5.'],
    [[Number.NaN], [0], 'here: element 0 of shape [1] has lower NaN and upper 0.'],
    [[0], [Number.NaN], 'here: element 0 of shape [1] has lower 0 and upper NaN.'],
  ])('refuses %j, %j', async (lower, upper, problem) => {
    await expect(checkInterval(box(lower, upper), 'here')).rejects.toMatchObject({ code: 'unsound', problem });
  });

  it('refuses different shapes', async () => {
    await expect(checkInterval(box([0], [0, 1]), 'here')).rejects.toMatchObject({ code: 'shape-mismatch' });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  categoryVariants,
  checkInRange,
  clipToRange,
  hullOf,
  type LinfPerturbation,
  l2,
  linf,
  linfBall,
  type Perturbation,
  perturbationBox,
  perturbationEnds,
  projection,
  steepest,
  type Tensor,
  tf,
} from './index.js';

const numbers = (x: Tensor) => [...x.dataSync()];
const boxOf = (set: Perturbation, x: number[], epsilon?: number) => {
  const { lower, upper, center, radius } = perturbationBox(set, tf.tensor2d([x]), epsilon);
  return { lower: numbers(lower), upper: numbers(upper), center: numbers(center), radius: numbers(radius) };
};
const close = (a: readonly number[], b: readonly number[]) => {
  expect(a).toHaveLength(b.length);
  for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i]!, 6);
};

describe('linf', () => {
  it('is the clipped ball where nothing else is said', () => {
    const x = tf.tensor2d([[0, 0.05, 0.5, 1]]);
    const [a, b] = [perturbationBox(linf({ epsilon: 0.1 }), x), linfBall(x, 0.1)];
    for (const end of ['lower', 'upper', 'center', 'radius'] as const) expect(numbers(a[end])).toEqual(numbers(b[end]));
  });

  it('has a radius per feature, 0 for an immutable one, and one-sided features', () => {
    const set = linf({ epsilon: 0.1, up: [1, 0, 2], down: [1, 0, 0], range: null });
    const box = boxOf(set, [5, 5, 5]);
    close(box.lower, [4.9, 5, 5]);
    close(box.upper, [5.1, 5, 5.2]);
    close(box.center, [5, 5, 5.1]);
    expect(box.radius[1]).toBe(0);
  });

  it('clips each feature to its own range, without one where an end is infinite', () => {
    const range = { min: [0, Number.NEGATIVE_INFINITY], max: [1, Number.POSITIVE_INFINITY] };
    const box = boxOf(linf({ epsilon: 3, range }), [0.5, 0.5]);
    close(box.lower, [0, -2.5]);
    close(box.upper, [1, 3.5]);
    close(box.radius, [0.5, 3]);
  });

  it('takes lists per channel and per feature of an image', () => {
    const x = tf.ones([1, 2, 1, 2]);
    const perChannel = perturbationBox(linf({ epsilon: 1, scale: [0, 1], range: null }), x);
    expect(numbers(perChannel.radius)).toEqual([0, 1, 0, 1]);
    const perFeature = perturbationBox(linf({ epsilon: 1, scale: [0, 1, 2, 3], range: null }), x);
    expect(numbers(perFeature.radius)).toEqual([0, 1, 2, 3]);
    expect(() => perturbationBox(linf({ epsilon: 1, scale: [1, 2, 3] }), x)).toThrow(
      expect.objectContaining({ code: 'bad-argument', cure: expect.stringContaining('one per feature (4)') }),
    );
  });

  it('contains exactly the points between its ends, on the device and on the host', () => {
    const feature = fc.double({ min: 0, max: 1, noNaN: true });
    const reach = fc.double({ min: 0, max: 3, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(feature, reach, reach), { minLength: 1, maxLength: 5 }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (features, epsilon) => {
          const set = linf({ epsilon, up: features.map(([, up]) => up), down: features.map(([, , down]) => down) });
          const x = Float32Array.from(features, ([value]) => value);
          const box = boxOf(set, [...x]);
          const ends = perturbationEnds(set, x, [x.length]);
          close(box.lower, [...ends.lower]);
          close(box.upper, [...ends.upper]);
          for (const [i, lower] of box.lower.entries()) {
            expect(lower).toBeLessThanOrEqual(x[i]!);
            expect(box.upper[i]).toBeGreaterThanOrEqual(x[i]!);
            expect(lower).toBeGreaterThanOrEqual(0);
          }
        },
      ),
    );
  });

  it('is infinite, not empty, where no point of it is in the range', () => {
    const box = boxOf(linf({ epsilon: 0.1 }), [2]);
    expect(box.radius[0]).toBe(Number.POSITIVE_INFINITY);
    expect(box.lower[0]).toBe(Number.NEGATIVE_INFINITY);
  });

  it.each([
    ['a negative radius', { epsilon: -1 }],
    ['a radius that is NaN', { epsilon: Number.NaN }],
    ['a negative reach', { epsilon: 1, scale: [1, -1] }],
    ['an infinite reach', { epsilon: 1, up: Number.POSITIVE_INFINITY }],
    ['an empty list', { epsilon: 1, scale: [] }],
    ['a range upside down', { epsilon: 1, range: { min: [0, 2], max: 1 } }],
    ['a range with NaN', { epsilon: 1, range: { min: Number.NaN, max: 1 } }],
    [
      'overlapping groups',
      {
        epsilon: 1,
        categories: [
          [0, 1],
          [1, 2],
        ],
      },
    ],
    ['a group of one', { epsilon: 1, categories: [[0]] }],
    ['categories without a radius', { epsilon: 0, categories: [[0, 1]] }],
  ])('refuses %s', (_, options) => {
    expect(() => linf(options)).toThrow(expect.objectContaining({ code: 'bad-argument' }));
  });
});

describe('l2', () => {
  it('has the box around the ball, and the ball', () => {
    const box = perturbationBox(l2({ epsilon: 0.2, range: { min: 0, max: 1 } }), tf.tensor2d([[0.1, 0.5]]));
    close(numbers(box.lower), [0, 0.3]);
    close(numbers(box.upper), [0.3, 0.7]);
    close(numbers(box.ball!.center), [0.1, 0.5]);
    expect(box.ball!.radius.dataSync()[0]).toBeCloseTo(0.2);
  });

  it('projects into the ball and the range', () => {
    const x = tf.tensor2d([
      [0.5, 0.5],
      [0, 1],
    ]);
    const points = projection(
      l2({ epsilon: 0.1 }),
      x,
    )(
      tf.tensor2d([
        [0.8, 0.9],
        [-1, Number.NaN],
      ]),
    );
    const [a, b, c, d] = numbers(points) as [number, number, number, number];
    expect(Math.hypot(a - 0.5, b - 0.5)).toBeLessThanOrEqual(0.1);
    expect(Math.hypot(a - 0.5, b - 0.5)).toBeGreaterThan(0.0999);
    expect(b - 0.5).toBeGreaterThan(a - 0.5);
    expect([c, d]).toEqual([0, 1]);
  });

  it('steps along the gradient, one radius far', () => {
    const step = numbers(
      steepest(
        l2({ epsilon: 1 }),
        tf.tensor2d([
          [3, -4],
          [0, 0],
        ]),
      ),
    );
    close(step, [0.6, -0.8, 0, 0]);
    close(numbers(steepest(linf({ epsilon: 1, scale: [1, 0.5] }), tf.tensor2d([[3, -4]]))), [1, -0.5]);
  });
});

describe('categories', () => {
  const set: LinfPerturbation = linf({ epsilon: 0.1, range: null, categories: [[1, 2, 3]] });

  it('have a hull in which they take any value, at every radius', () => {
    const whole = boxOf(set, [7, 0, 1, 0]);
    close(whole.lower, [6.9, 0, 0, 0]);
    close(whole.upper, [7.1, 1, 1, 1]);
    expect(whole.lower.slice(1).every((end) => end <= 0)).toBe(true);
    expect(whole.upper.slice(1).every((end) => end >= 1)).toBe(true);
    // At a smaller radius the numbers move less, and the categories as before.
    const half = boxOf(set, [7, 0, 1, 0], 0.05);
    expect([half.lower.slice(1), half.upper.slice(1)]).toEqual([
      [0, 0, 0],
      [1, 1, 1],
    ]);
    close([half.lower[0]!, half.upper[0]!], [6.95, 7.05]);
    const ends = perturbationEnds({ ...set, epsilon: 0.05 }, [7, 0, 1, 0], [4]);
    expect([[...ends.lower.slice(1)], [...ends.upper.slice(1)]]).toEqual([
      [0, 0, 0],
      [1, 1, 1],
    ]);
    // For training with a schedule they grow with the radius.
    const ramped = boxOf(hullOf(set, [4]), [7, 0, 1, 0], 0.05);
    close(ramped.upper, [7.05, 0.5, 1, 0.5]);
    close(ramped.lower, [6.95, 0, 0.5, 0]);
  });

  it('are split into one input for each combination, the input itself first', () => {
    const two = linf({
      epsilon: 0.1,
      range: null,
      categories: [
        [0, 1],
        [2, 3],
      ],
    });
    const { inputs, perturbation } = categoryVariants(two, Float32Array.of(0, 1, 1, 0), [4]);
    expect(inputs.map((input) => [...input])).toEqual([
      [0, 1, 1, 0],
      [0, 1, 0, 1],
      [1, 0, 1, 0],
      [1, 0, 0, 1],
    ]);
    expect(perturbation).toMatchObject({ up: [0, 0, 0, 0], down: [0, 0, 0, 0], categories: [] });
  });

  it('refuse an input that is not one-hot, and too many combinations', () => {
    expect(() => categoryVariants(set, Float32Array.of(7, 0, 0.5, 0.5), [4])).toThrow(
      expect.objectContaining({ code: 'bad-data', problem: expect.stringContaining('feature 2 is 0.5') }),
    );
    const groups = Array.from({ length: 13 }, (_, i) => [2 * i, 2 * i + 1]);
    const input = Float32Array.from({ length: 26 }, (_, i) => i % 2);
    expect(() => categoryVariants(linf({ epsilon: 1, categories: groups }), input, [26])).toThrow(
      expect.objectContaining({ problem: expect.stringContaining('8192 combinations') }),
    );
    expect(() => hullOf(set, [3])).toThrow(expect.objectContaining({ problem: expect.stringContaining('feature 3') }));
  });
});

it('a range per feature names the first input outside of it', () => {
  const range = { min: [0, -1], max: [1, Number.POSITIVE_INFINITY] };
  expect(() => checkInRange([0.5, 1e9, 1, -1.5], range, [2])).toThrow(
    expect.objectContaining({ problem: 'Input 1 has the value -1.5 at position 1, outside the range [-1, Infinity].' }),
  );
  expect(() => checkInRange([Number.POSITIVE_INFINITY], null, [1])).toThrow(
    expect.objectContaining({ code: 'bad-data', cure: 'Give finite numbers.' }),
  );
});

it('values beyond a range are noticed, and come to its ends', () => {
  const range = { min: [0, 0.1], max: [1, Number.POSITIVE_INFINITY] };
  const [inside, beyond] = [Float32Array.of(0, 0.1, 1, 9), Float32Array.of(-1e-7, 0.1, 1 + 2e-7, 5)];
  expect([inside, beyond].map((values) => checkInRange(values, range, [2]))).toEqual([false, true]);
  expect(checkInRange(beyond, null, [2])).toBe(false);
  expect([...clipToRange(beyond, range, [2])]).toEqual([0, Math.fround(0.1), 1, 5]);
  expect(clipToRange(beyond, null, [2])).toBe(beyond);
});

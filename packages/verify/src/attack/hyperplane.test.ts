import { createRng, type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { EUCLIDEAN_NORM, maximumNorm, type Norm } from './hyperplane.js';

const values = (x: Tensor) => [...x.dataSync()];

/** A projection of one point: its linear function has the value at the point and falls if coordinate i moves by less than `rooms[i]`. */
interface Problem {
  readonly gains: readonly number[];
  readonly rooms: readonly number[];
  readonly wanted: number;
}

const gained = ({ gains }: Problem, moves: readonly number[]): number =>
  moves.reduce((sum, move, i) => sum + move * gains[i]!, 0);

/** How far each coordinate moves, by bisection of the common factor; null if the box does not reach the hyperplane. */
function exactMoves(problem: Problem, speeds: readonly number[]): readonly number[] | null {
  const { rooms, wanted } = problem;
  const at = (t: number) => rooms.map((room, i) => Math.min(room, t * speeds[i]!));
  if (gained(problem, rooms) < wanted) return null;
  let [low, high] = [0, 1e12];
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (gained(problem, at(middle)) < wanted) low = middle;
    else high = middle;
  }
  return at(high);
}

const REACH = 0.7;

const NORMS: readonly (readonly [string, Norm, (gain: number) => number])[] = [
  ['l-infinity', maximumNorm(REACH), () => REACH],
  ['Euclidean', EUCLIDEAN_NORM, (gain) => gain],
];

describe.each(NORMS)('the %s projection', (_, norm, speed) => {
  it.each([
    ['one coordinate', 1, 200],
    ['some coordinates', 17, 300],
    ['many coordinates', 300, 60],
  ])(
    'is the closest point of the hyperplane in the box, or the corner closest to the hyperplane: %s',
    (__, size, count) => {
      const rng = createRng(4, 'hyperplane', size);
      const many = (n: number, draw: () => number) => Float32Array.from({ length: n }, draw);
      const lower = many(count * size, () => (rng.int(3) === 0 ? -rng.uniform() : 0));
      // Some coordinates have no width.
      const upper = lower.map((end) => (rng.int(7) === 0 ? end : end + rng.uniform()));
      const point = lower.map((end, i) => {
        const share = rng.int(6) === 0 ? rng.int(2) : rng.uniform();
        return Math.min(Math.max(end + share * (upper[i]! - end), end), upper[i]!);
      });
      const spread = Array.from({ length: count }, () => rng.int(5));
      const slope = many(count * size, () => (rng.int(8) === 0 ? 0 : rng.normal()));
      slope.forEach((w, i) => {
        slope[i] = w * 10 ** (rng.int(spread[Math.floor(i / size)]! + 1) - 3);
      });
      const rooms = (k: number, down: boolean) =>
        Array.from({ length: size }, (___, j) => {
          const i = k * size + j;
          return slope[i]! > 0 === down ? point[i]! - lower[i]! : upper[i]! - point[i]!;
        });
      const gains = (k: number) => Array.from(slope.subarray(k * size, (k + 1) * size), Math.abs);
      // A share of what the box can reach, sometimes all of it but little, sometimes more.
      const value = many(count, () => (rng.int(2) === 0 ? 1 : -1));
      const shares = [0, 0.01, 0.3, 0.9, 0.99, 1.5];
      value.forEach((sign, k) => {
        const problem = { gains: gains(k), rooms: rooms(k, sign > 0), wanted: 0 };
        value[k] =
          sign * (shares[rng.int(shares.length)]! * gained(problem, problem.rooms) + (rng.int(20) === 0 ? 1 : 0));
      });
      const like = (x: Float32Array) => tf.tensor2d(x, [count, size]);
      const box = { lower: like(lower), upper: like(upper) };
      const projected = values(norm.ontoHyperplane(like(point), like(slope), tf.tensor1d(value), box));
      let [reachable, not] = [0, 0];
      for (let k = 0; k < count; k++) {
        const down = value[k]! > 0;
        const problem = { gains: gains(k), rooms: rooms(k, down), wanted: Math.abs(value[k]!) };
        const exact = exactMoves(problem, problem.gains.map(speed));
        const moves = Array.from({ length: size }, (___, j) =>
          Math.abs(projected[k * size + j]! - point[k * size + j]!),
        );
        for (let i = k * size; i < (k + 1) * size; i++) {
          expect(projected[i]).toBeGreaterThanOrEqual(lower[i]! - 1e-7);
          expect(projected[i]).toBeLessThanOrEqual(upper[i]! + 1e-7);
        }
        if (exact === null) {
          not++;
          moves.forEach((move, j) => {
            if (problem.gains[j] !== 0) expect(move).toBeCloseTo(problem.rooms[j]!, 6);
          });
        } else {
          reachable++;
          const distance = norm.length(tf.tensor2d([exact.map((move) => move)]));
          expect(values(norm.length(tf.tensor2d([moves])))[0]).toBeCloseTo(values(distance)[0]!, 4);
          moves.forEach((move, j) => {
            if (problem.gains[j] !== 0) expect(move).toBeCloseTo(exact[j]!, 4);
          });
          const left = problem.wanted - gained(problem, moves);
          const scale = problem.wanted + problem.gains.reduce((a, b) => a + b, 0);
          expect(Math.abs(left)).toBeLessThanOrEqual(1e-5 * scale);
        }
      }
      expect([reachable > count / 3, not > count / 20]).toEqual([true, true]);
    },
  );

  it('stays where it is on the hyperplane, and where the function is constant', () => {
    const box = { lower: tf.zeros([2, 2]), upper: tf.ones([2, 2]) };
    const point = tf.tensor2d([
      [0.25, 0.5],
      [0.75, 1],
    ]);
    const slope = tf.tensor2d([
      [1, -2],
      [0, 0],
    ]);
    expect(values(norm.ontoHyperplane(point, slope, tf.tensor1d([0, 3]), box))).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('reaches the hyperplane where the data range is infinite, at any scale of the function', () => {
    const box = { lower: tf.fill([3, 2], Number.NEGATIVE_INFINITY), upper: tf.fill([3, 2], Number.POSITIVE_INFINITY) };
    const point = tf.zeros([3, 2]);
    const slope = tf.tensor2d([
      [3, 4],
      [3e-12, 4e-12],
      [3e12, 4e12],
    ]);
    const value = tf.tensor1d([-5, -5e-12, -5e12]);
    const projected = values(norm.ontoHyperplane(point, slope, value, box));
    const speeds = [speed(3), speed(4)];
    const t = 5 / (3 * speeds[0]! + 4 * speeds[1]!);
    for (const [i, x] of projected.entries()) expect(x).toBeCloseTo(t * speeds[i % 2]!, 5);
  });
});

it('distances are lengths of the difference, in l-infinity divided by the reach', () => {
  const x = tf.tensor3d([
    [[1], [2], [3]],
    [[0], [0], [0]],
  ]);
  const y = tf.tensor3d([
    [[4], [2], [-1]],
    [[0], [0], [0]],
  ]);
  expect(values(EUCLIDEAN_NORM.distance(x, y))).toEqual([5, 0]);
  expect(values(EUCLIDEAN_NORM.length(x))[0]).toBeCloseTo(Math.sqrt(14), 6);
  expect(values(maximumNorm(0.5).distance(x, y))).toEqual([8, 0]);
  expect(values(maximumNorm(0.5).length(x))).toEqual([3, 0]);
});

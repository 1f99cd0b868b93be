import { createRng, type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { ontoHyperplane } from './fab.js';

const values = (x: Tensor) => [...x.dataSync()];

/** The smallest l-infinity distance at which a linear function can become 0 inside a box, by its breakpoints in order; infinite if it cannot. */
function exactDistance(gains: readonly number[], rooms: readonly number[], wanted: number): number {
  const order = gains.map((_, i) => i).sort((i, j) => rooms[i]! - rooms[j]!);
  let [reached, t] = [0, 0];
  let rate = gains.reduce((sum, gain) => sum + gain, 0);
  for (const i of order) {
    const next = reached + rate * (rooms[i]! - t);
    if (next >= wanted) return t + (wanted - reached) / rate;
    [reached, t, rate] = [next, rooms[i]!, rate - gains[i]!];
  }
  return Number.POSITIVE_INFINITY;
}

describe('ontoHyperplane', () => {
  it('is the closest point of the hyperplane in the box, or the corner closest to the hyperplane', () => {
    const rng = createRng(4, 'hyperplane');
    const [count, size] = [200, 17];
    const many = (n: number, draw: () => number) => Float32Array.from({ length: n }, draw);
    const point = many(count * size, () => (rng.int(6) === 0 ? rng.int(2) : rng.uniform()));
    const slope = many(count * size, () => (rng.int(8) === 0 ? 0 : rng.normal() * 10 ** (rng.int(5) - 3)));
    const value = many(count, () => rng.normal() * 10 ** (rng.int(5) - 2));
    const box = { lower: tf.zeros([count, size]), upper: tf.ones([count, size]) };
    const projected = values(
      ontoHyperplane(tf.tensor2d(point, [count, size]), tf.tensor2d(slope, [count, size]), tf.tensor1d(value), box),
    );
    let [reachable, not] = [0, 0];
    for (let k = 0; k < count; k++) {
      const at = Array.from({ length: size }, (_, i) => k * size + i);
      const down = value[k]! > 0;
      const room = (i: number) => (slope[i]! > 0 === down ? point[i]! : 1 - point[i]!);
      const gains = at.map((i) => Math.abs(slope[i]!));
      const exact = exactDistance(gains, at.map(room), Math.abs(value[k]!));
      const distance = Math.max(...at.map((i) => Math.abs(projected[i]! - point[i]!)));
      const left = at.reduce((sum, i) => sum + slope[i]! * (projected[i]! - point[i]!), value[k]!);
      const scale = Math.abs(value[k]!) + gains.reduce((a, b) => a + b, 0);
      expect(at.every((i) => projected[i]! >= 0 && projected[i]! <= 1)).toBe(true);
      if (exact < Number.POSITIVE_INFINITY) {
        reachable++;
        expect(distance).toBeCloseTo(exact, 4);
        expect(Math.abs(left)).toBeLessThan(1e-5 * scale);
      } else {
        not++;
        at.forEach((i) => {
          if (slope[i] !== 0) expect(projected[i]).toBeCloseTo(slope[i]! > 0 === down ? 0 : 1, 6);
        });
      }
    }
    expect([reachable > 50, not > 20]).toEqual([true, true]);
  });

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
    expect(values(ontoHyperplane(point, slope, tf.tensor1d([0, 3]), box))).toEqual([0.25, 0.5, 0.75, 1]);
  });
});

import type { Rng } from '@cert/core';
import { add, compare, dyadic, negate, subtract } from './exact/dyadic.js';
import { sumDown, sumUp } from './execute/float32.js';

/** An l-infinity ball around an image, clipped to a range; its ends are real numbers. */
export interface Ball {
  /** Float32 numbers. */
  readonly image: Float32Array;
  /** The radius: the float64 number as it is. */
  readonly epsilon: number;
  /** The range of valid pixels; null for none. */
  readonly range: { readonly min: number; readonly max: number } | null;
}

/** The first and last float32 number of the ball in every coordinate: its float32 points are those between them. */
export function float32Ends({ image, epsilon, range }: Ball): {
  readonly lower: Float32Array;
  readonly upper: Float32Array;
} {
  const { min, max } = range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  return {
    lower: image.map((x) => Math.max(sumUp(x, -epsilon), range === null ? min : sumUp(min, 0))),
    upper: image.map((x) => Math.min(sumDown(x, epsilon), range === null ? max : sumDown(max, 0))),
  };
}

/** Whether a point lies in the ball, decided without rounding. */
export function contains({ image, epsilon, range }: Ball, point: ArrayLike<number>): boolean {
  const radius = dyadic(epsilon);
  return image.every((x, i) => {
    const [at, center] = [dyadic(point[i]!), dyadic(x)];
    const inside = compare(at, subtract(center, radius)) >= 0 && compare(at, add(center, radius)) <= 0;
    return inside && (range === null || (point[i]! >= range.min && point[i]! <= range.max));
  });
}

/** A float32 point of the ball: a corner, a mixture of ends and the image, or a random one; one in eight is the lower or upper corner. */
export function drawPoint(
  { lower, upper }: { readonly lower: Float32Array; readonly upper: Float32Array },
  image: Float32Array,
  rng: Rng,
): Float32Array {
  const kind = rng.int(8);
  if (kind === 0) return rng.int(2) === 0 ? lower.slice() : upper.slice();
  return lower.map((l, i) => {
    const u = upper[i]!;
    const choice = kind < 4 ? rng.int(2) : kind < 6 ? rng.int(4) : 3;
    if (choice === 0) return l;
    if (choice === 1) return u;
    if (choice === 2) return image[i]!;
    // Rounding may leave the ball.
    return Math.min(Math.max(Math.fround(l + rng.uniform() * (u - l)), l), u);
  });
}

/** A float64 point of a ball, its coordinates at the ends or between them. */
export function drawRealPoint({ image, epsilon, range }: Ball, rng: Rng): number[] {
  const radius = dyadic(epsilon);
  return Array.from(image, (x) => {
    const t = [-1, 1, 2 * rng.uniform() - 1][rng.int(3)]!;
    let at = x + t * epsilon;
    // Rounded out of the ball: one or two float64 numbers back.
    const off = subtract(dyadic(at), dyadic(x));
    if (compare(off, radius) > 0 || compare(negate(off), radius) > 0) at -= Math.sign(t) * Math.abs(at) * 2 ** -52;
    return range === null ? at : Math.min(Math.max(at, range.min), range.max);
  });
}

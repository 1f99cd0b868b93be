/** Intervals of exact numbers, without rounding. */
import { add, compare, type Dyadic, divide, type Enclosure, multiply, negate, subtract, ZERO } from './dyadic.js';

export const absolute = (x: Dyadic): Dyadic => (x.m < 0n ? negate(x) : x);
export const least = (a: Dyadic, b: Dyadic): Dyadic => (compare(a, b) < 0 ? a : b);
export const greatest = (a: Dyadic, b: Dyadic): Dyadic => (compare(a, b) > 0 ? a : b);

/** One number. */
export const point = (x: Dyadic): Enclosure => ({ lower: x, upper: x });

/** The largest magnitude in an interval. */
export const reach = ({ lower, upper }: Enclosure): Dyadic => greatest(absolute(lower), absolute(upper));

export const plus = (a: Enclosure, b: Enclosure): Enclosure => ({
  lower: add(a.lower, b.lower),
  upper: add(a.upper, b.upper),
});

/** The product of two intervals. */
export function times(a: Enclosure, b: Enclosure): Enclosure {
  const [p, q] = [multiply(a.lower, b.lower), multiply(a.lower, b.upper)];
  const [r, s] = [multiply(a.upper, b.lower), multiply(a.upper, b.upper)];
  return { lower: least(least(p, q), least(r, s)), upper: greatest(greatest(p, q), greatest(r, s)) };
}

/** The product of a number and an interval. */
export const scale = (w: Dyadic, { lower, upper }: Enclosure): Enclosure =>
  w.m >= 0n
    ? { lower: multiply(w, lower), upper: multiply(w, upper) }
    : { lower: multiply(w, upper), upper: multiply(w, lower) };

/** A quotient by a positive number. */
export const over = ({ lower, upper }: Enclosure, n: Dyadic): Enclosure => ({
  lower: divide(lower, n).lower,
  upper: divide(upper, n).upper,
});

/** All numbers within a distance of an interval. */
export const widen = ({ lower, upper }: Enclosure, by: Dyadic): Enclosure => ({
  lower: subtract(lower, by),
  upper: add(upper, by),
});

/** The smallest interval with both. */
export const hull = (a: Enclosure, b: Enclosure): Enclosure => ({
  lower: least(a.lower, b.lower),
  upper: greatest(a.upper, b.upper),
});

/** The maximum of numbers in these intervals, at least one. */
export const most = (values: readonly Enclosure[]): Enclosure =>
  values.reduce((a, b) => ({ lower: greatest(a.lower, b.lower), upper: greatest(a.upper, b.upper) }));

/** max(x, 0). */
export const rectified = (x: Enclosure): Enclosure => most([x, point(ZERO)]);

/** x where x >= 0, slope x elsewhere; 0 <= slope <= 1. */
export function leaked(slope: Dyadic, { lower, upper }: Enclosure): Enclosure {
  const leak = (x: Dyadic): Dyadic => (x.m < 0n ? multiply(slope, x) : x);
  return { lower: leak(lower), upper: leak(upper) };
}

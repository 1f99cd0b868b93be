/**
 * The rounding errors of float64, in which this program computes, and of float32, in which networks are executed.
 *
 * Both round to the nearest number: fl(a op b) = (a op b)(1 + d) with |d| <= U in float64 and |d| <= u in float32. A value that went
 * through n such roundings is off by a factor of 1 + t with |t| <= n U / (1 - n U) (Higham, Accuracy and Stability of Numerical
 * Algorithms, 2002, lemma 3.1). Sums of products do without the denominator (Jeannerod and Rump, Improved error bounds for inner
 * products in floating-point arithmetic, 2013); it is kept here, since it costs nothing.
 */
import { demand } from './refused.js';

/** Unit roundoff of float32. */
const UNIT_32 = 2 ** -24;

/** At least the next float64 above x. The added amount is at least one unit in the last place of x. */
export const up = (x: number): number => x + (Math.abs(x) * 2 ** -52 + Number.MIN_VALUE);

/** At most the next float64 below x. */
export const down = (x: number): number => x - (Math.abs(x) * 2 ** -52 + Number.MIN_VALUE);

/** Bounds n U / (1 - n U): for n < 2^46 the denominator is above 1 / 1.01. */
export const growth64 = (n: number): number => 1.01 * n * 2 ** -53;

/** Bounds n u / (1 - n u). */
export function growth32(n: number): number {
  demand(n < 2 ** 22, `a layer adds ${n} terms; the checker takes fewer than 2^22`);
  return ((n * UNIT_32) / (1 - n * UNIT_32)) * (1 + 2 ** -40);
}

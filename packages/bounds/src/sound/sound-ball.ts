import {
  checkEpsilon,
  type DataRange,
  fromCenterRadius,
  type Interval,
  nonNegativeRadius,
  type Tensor,
  tf,
} from '@cert/core';
import { decimalDown, decimalUp, roundDown, roundUp, TINY, UNIT } from './rounding.js';

const { abs, add, minimum, mul, sub } = tf;

/**
 * Returns a float32 that is at least the decimal or fraction that the number was parsed from (the nearest float32 to 0.7 is less than 0.7).
 *
 * @throws CertError `bad-argument` unless it is a finite number >= 0
 */
export function epsilonUp(epsilon: number): number {
  checkEpsilon(epsilon);
  return roundUp(decimalUp(epsilon));
}

/**
 * Returns an interval that contains the real l-infinity ball of radius `epsilon` around `x`, clipped to the data range: `linfBall` of
 * `@cert/core` with outward rounding. [center - radius, center + radius] over the real numbers contains the ball.
 *
 * If no point of the ball is in the range, the radius is infinite, so that nothing is verified over an empty box. Assumes rounding to
 * nearest.
 *
 * @param x images, float32, any shape
 * @param epsilon radius in the units of `x`. A number stands for its decimal and is rounded up; a tensor (scalar, or of shape [channels])
 * is taken as exact: create it with {@link epsilonUp}
 * @param range default [0, 1]; `null` for no clipping. Numbers stand for their decimals, tensors are taken as exact
 * @returns four new tensors of the shape of `x`, the caller's to dispose
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN, infinite or neither a number nor a tensor
 */
export function soundBall(x: Tensor, epsilon: number | Tensor, range: DataRange | null = { min: 0, max: 1 }): Interval {
  const reach = epsilon instanceof tf.Tensor ? epsilon : tf.scalar(epsilonUp(epsilon));
  return tf.tidy(() => {
    // What rounding costs: 8 units of every number that takes part.
    const covering = (half: Tensor) => add(add(mul(half, 1 + 16 * UNIT), mul(add(abs(x), reach), 8 * UNIT)), TINY);
    if (range === null) return fromCenterRadius(tf.clone(x), covering(mul(tf.onesLike(x), reach)));
    const [min, max] = [lowEnd(range.min), highEnd(range.max)];
    const down = minimum(outward(sub(x, min)), reach);
    const up = minimum(outward(sub(max, x)), reach);
    const center = add(x, mul(sub(up, down), 0.5));
    return fromCenterRadius(center, covering(nonNegativeRadius(mul(add(up, down), 0.5))));
  });
}

const lowEnd = (end: number | Tensor): number | Tensor => (typeof end === 'number' ? roundDown(decimalDown(end)) : end);
const highEnd = (end: number | Tensor): number | Tensor => (typeof end === 'number' ? roundUp(decimalUp(end)) : end);

/** A difference that was rounded, moved up by more than the rounding. */
const outward = (difference: Tensor): Tensor => add(difference, mul(abs(difference), 4 * UNIT));

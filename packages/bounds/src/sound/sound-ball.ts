import {
  categoryMask,
  checkEpsilon,
  type DataRange,
  fixedCategories,
  fromCenterRadius,
  type Interval,
  nonNegativeRadius,
  type PerFeature,
  type Perturbation,
  perFeatureTensor,
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
 * @param range default [0, 1]; `null` for no clipping. Numbers stand for their decimals
 * @returns four new tensors of the shape of `x`, the caller's to dispose
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN, infinite or neither a number nor a tensor
 */
export function soundBall(x: Tensor, epsilon: number | Tensor, range: DataRange | null = { min: 0, max: 1 }): Interval {
  return tf.tidy(() => {
    const reach = exactly(epsilon);
    return coveringBox(x, reach, reach, range);
  });
}

/**
 * Returns an interval that contains a perturbation set over the real numbers: `perturbationBox` of `@cert/core` with outward rounding. For
 * `l2`, the box around the ball.
 *
 * @param x [batch, ...inputShape], float32
 * @param epsilon as in {@link soundBall}; default: the radius of the set
 * @returns four new tensors of the shape of `x`, the caller's to dispose
 * @throws CertError as {@link soundBall}, and for lists of a length that does not fit `x`
 */
export function soundBox(
  perturbation: Perturbation,
  x: Tensor,
  epsilon: number | Tensor = perturbation.epsilon,
): Interval {
  return tf.tidy(() => {
    const reach = exactly(epsilon);
    const { range } = perturbation;
    if (perturbation.kind === 'l2') return coveringBox(x, reach, reach, range);
    const shape = x.shape.slice(1);
    const set = fixedCategories(perturbation, shape);
    const mask = categoryMask(perturbation, shape);
    const times = (multiple: PerFeature) =>
      multiple === 1 ? reach : outward(mul(perFeatureTensor(upwards(multiple), x), reach));
    const box = coveringBox(x, times(set.down), times(set.up), set.range);
    if (mask === null) return box;
    // Exactly [0, 1], whatever the radius.
    const chosen = tf.greater(mul(tf.onesLike(x), tf.tensor([...mask], shape)), 0);
    const half = tf.fill([...x.shape], 0.5);
    return fromCenterRadius(tf.where(chosen, half, box.center), tf.where(chosen, half, box.radius));
  });
}

const exactly = (epsilon: number | Tensor): Tensor =>
  epsilon instanceof tf.Tensor ? epsilon : tf.scalar(epsilonUp(epsilon));

/** Contains [x - down, x + up], clipped to a range. */
function coveringBox(x: Tensor, down: Tensor, up: Tensor, range: DataRange | null): Interval {
  // What rounding costs: 8 units of every number that takes part.
  const covering = (half: Tensor) =>
    add(add(mul(half, 1 + 16 * UNIT), mul(add(abs(x), tf.maximum(down, up)), 8 * UNIT)), TINY);
  if (range === null && down === up) return fromCenterRadius(tf.clone(x), covering(mul(tf.onesLike(x), down)));
  const { min, max } = range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  const below = minimum(outward(sub(x, perFeatureTensor(downwards(min), x))), down);
  const above = minimum(outward(sub(perFeatureTensor(upwards(max), x), x)), up);
  const center = add(x, mul(sub(above, below), 0.5));
  return fromCenterRadius(center, covering(nonNegativeRadius(mul(add(above, below), 0.5))));
}

const each = (values: PerFeature, change: (value: number) => number): PerFeature =>
  typeof values === 'number' ? change(values) : values.map(change);
const finite = (change: (value: number) => number) => (value: number) =>
  Number.isFinite(value) ? change(value) : value;

/** Float32 numbers that are at least, or at most, the decimals. */
const upwards = (values: PerFeature) =>
  each(
    values,
    finite((value) => roundUp(decimalUp(value))),
  );
const downwards = (values: PerFeature) =>
  each(
    values,
    finite((value) => roundDown(decimalDown(value))),
  );

/** A difference that was rounded, moved up by more than the rounding. */
const outward = (difference: Tensor): Tensor => add(difference, mul(abs(difference), 4 * UNIT));

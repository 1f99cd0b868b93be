import { categoryMask, checkGroups, fixedCategories } from './categories.js';
import { CertError } from './errors.js';
import { checkEpsilon, type Interval, nonNegativeRadius } from './interval.js';
import type { Shape } from './model.js';
import { type DataRange, eachFeature, everyFeature, type PerFeature, perFeatureTensor } from './per-feature.js';
import type { L2Perturbation, LinfPerturbation, Perturbation } from './perturbation-set.js';
import { type Tensor, tf } from './tf.js';

/** Options of {@link linf}. */
export interface LinfOptions {
  /** The radius, >= 0, in the units of the inputs. */
  readonly epsilon: number;
  /** Radius of each feature in multiples of epsilon; 0 makes a feature immutable. Default 1. */
  readonly scale?: PerFeature;
  /** Reach upwards in multiples of epsilon; default: `scale`. With `down: 0`, an attacker can only add. */
  readonly up?: PerFeature;
  /** Reach downwards in multiples of epsilon; default: `scale`. */
  readonly down?: PerFeature;
  /** Range that inputs are clipped to; default [0, 1], null for no range. */
  readonly range?: DataRange | null;
  /**
   * One-hot groups that may change to any category: the indices of their features, disjoint. The set is then a union of boxes, one for each
   * choice of categories: {@link perturbationBox} contains them all, {@link categoryVariants} splits them.
   */
  readonly categories?: readonly (readonly number[])[];
}

/** The range of pixels. */
const UNIT_RANGE: DataRange = { min: 0, max: 1 };

/**
 * Returns an l-infinity perturbation set with a radius per feature.
 *
 * A list has one number per channel (last axis of the input) or one per feature (row-major).
 *
 * @throws CertError `bad-argument` for a negative or non-finite radius, a range whose min exceeds its max, and groups that overlap or have
 * fewer than two features
 */
export function linf({
  epsilon,
  scale = 1,
  up = scale,
  down = scale,
  range = UNIT_RANGE,
  categories = [],
}: LinfOptions): LinfPerturbation {
  checkEpsilon(epsilon);
  checkReach('up', up);
  checkReach('down', down);
  checkRange(range);
  checkGroups(categories);
  if (categories.length > 0 && epsilon === 0) {
    throw new CertError(
      'bad-argument',
      'epsilon is 0, but categories may change.',
      'Give an epsilon > 0, and scale: 0 if only the categories may change.',
    );
  }
  return { kind: 'linf', epsilon, down, up, range, categories };
}

/**
 * Returns a Euclidean perturbation set. CROWN-type bounds are exact for it in the first layer (dual norm); interval bounds use the box
 * around it, and so do bounds that account for rounding.
 *
 * @throws CertError `bad-argument` for a negative or non-finite radius, and a range whose min exceeds its max
 */
export function l2({
  epsilon,
  range = UNIT_RANGE,
}: {
  readonly epsilon: number;
  readonly range?: DataRange | null;
}): L2Perturbation {
  checkEpsilon(epsilon);
  checkRange(range);
  return { kind: 'l2', epsilon, range };
}

/** The default of functions that take a perturbation set and a radius: an l-infinity ball, clipped to [0, 1]. */
export const UNIT_BALL: LinfPerturbation = linf({ epsilon: 0 });

/**
 * Returns the box around a batch of inputs that contains the perturbation set, with four tensors; for `l2` it also has the `ball`. For
 * categories, the box is the hull over all choices.
 *
 * If no point of the set lies in the range, the box is infinite instead of empty, so that no bound method verifies anything over it. Reads
 * no value.
 *
 * @param x [batch, ...inputShape], values inside the range (see `checkInRange`)
 * @param epsilon a number or a scalar tensor; default: the radius of the set
 * @returns new tensors of the shape of `x`, the caller's to dispose
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN, infinite, or neither a number nor a tensor, and for lists of a
 * length that does not fit `x`
 */
export function perturbationBox(
  perturbation: Perturbation,
  x: Tensor,
  epsilon: number | Tensor = perturbation.epsilon,
): Interval {
  if (!(epsilon instanceof tf.Tensor)) checkEpsilon(epsilon);
  return tf.tidy(() => {
    const shape = x.shape.slice(1);
    const { down, up, range } =
      perturbation.kind === 'l2' ? { ...perturbation, down: 1, up: 1 } : fixedCategories(perturbation, shape);
    const reach = (multiple: PerFeature) => (multiple === 1 ? epsilon : tf.mul(perFeatureTensor(multiple, x), epsilon));
    const box = clippedBox(x, reach(down), reach(up), range);
    if (perturbation.kind === 'linf') return withCategories(box, categoryMask(perturbation, shape), shape);
    return {
      ...box,
      ball: { center: tf.clone(x), radius: typeof epsilon === 'number' ? tf.scalar(epsilon) : tf.clone(epsilon) },
    };
  });
}

/**
 * Returns the l-infinity ball of radius `epsilon` around `x`, clipped to the data range (equation 1 of the paper): {@link perturbationBox}
 * of the same radius for all features.
 *
 * @param x inputs, any shape, values inside the range (see `checkInRange`)
 * @param epsilon radius in the units of `x` (raw pixels for images in [0, 1]): a number, a scalar tensor, or per channel of shape
 * [channels]
 * @param range default [0, 1]; pass `null` for no clipping
 * @returns four new tensors of the shape of `x`, the caller's to dispose
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN, infinite, or neither a number nor a tensor; values of a tensor are
 * not read
 */
export function linfBall(x: Tensor, epsilon: number | Tensor, range: DataRange | null = UNIT_RANGE): Interval {
  if (!(epsilon instanceof tf.Tensor)) checkEpsilon(epsilon);
  return tf.tidy(() => clippedBox(x, epsilon, epsilon, range));
}

/**
 * Returns the ends of the box around the set of one input on the host, in float64, rounded to nearest. For categories, the hull.
 *
 * @param input row-major [...shape]
 * @param shape of the input
 */
export function perturbationEnds(
  perturbation: Perturbation,
  input: ArrayLike<number>,
  shape: Shape,
): { readonly lower: Float64Array; readonly upper: Float64Array } {
  const { epsilon } = perturbation;
  const { up, down, range } =
    perturbation.kind === 'l2' ? { ...perturbation, up: 1, down: 1 } : fixedCategories(perturbation, shape);
  const mask = perturbation.kind === 'l2' ? null : categoryMask(perturbation, shape);
  const { min, max } = range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  const [below, above] = [eachFeature(down, shape), eachFeature(up, shape)];
  const [least, most] = [eachFeature(min, shape), eachFeature(max, shape)];
  return {
    lower: Float64Array.from(input, (x, i) => (mask?.[i] === 1 ? 0 : Math.max(x - below[i]! * epsilon, least[i]!))),
    upper: Float64Array.from(input, (x, i) => (mask?.[i] === 1 ? 1 : Math.min(x + above[i]! * epsilon, most[i]!))),
  };
}

/** A box with [0, 1] for the features of categorical groups, at every radius. */
function withCategories(box: Interval, mask: readonly number[] | null, shape: Shape): Interval {
  if (mask === null) return box;
  const chosen = tf.greater(tf.mul(tf.onesLike(box.lower), tf.tensor([...mask], [...shape])), 0);
  const all = (x: Tensor, value: number) => tf.where(chosen, tf.fill([...x.shape], value), x);
  return {
    lower: all(box.lower, 0),
    upper: all(box.upper, 1),
    center: all(box.center, 0.5),
    radius: all(box.radius, 0.5),
  };
}

/** [x - down, x + up], clipped to a range. */
function clippedBox(x: Tensor, down: number | Tensor, up: number | Tensor, range: DataRange | null): Interval {
  const whole = tf.onesLike(x);
  const min = range && perFeatureTensor(range.min, x);
  const max = range && perFeatureTensor(range.max, x);
  // The distances to both faces first: x +- epsilon would round a small epsilon away.
  const below = min === null ? tf.mul(whole, down) : tf.minimum(tf.sub(x, min), down);
  const above = max === null ? tf.mul(whole, up) : tf.minimum(tf.sub(max, x), up);
  const half = tf.mul(tf.add(above, below), 0.5);
  const radius = nonNegativeRadius(half);
  // 0, or infinite where no point of the set lies in the range.
  const excess = tf.sub(radius, tf.abs(half));
  const clip = (end: Tensor, face: number | Tensor | null, side: typeof tf.maximum) =>
    face === null ? end : side(end, face);
  return {
    lower: tf.sub(clip(tf.sub(x, down), min, tf.maximum), excess),
    upper: tf.add(clip(tf.add(x, up), max, tf.minimum), excess),
    center: down === up && range === null ? tf.clone(x) : tf.add(x, tf.mul(tf.sub(above, below), 0.5)),
    radius,
  };
}

function checkReach(name: string, multiples: PerFeature): void {
  if (everyFeature(multiples, (value) => value >= 0 && value < Number.POSITIVE_INFINITY)) return;
  throw new CertError(
    'bad-argument',
    `"${name}" of the perturbation is ${shown(multiples)}.`,
    'Give finite numbers >= 0: multiples of epsilon. 0 makes a feature immutable.',
  );
}

function checkRange(range: DataRange | null): void {
  if (range === null) return;
  const { min, max } = range;
  const known =
    everyFeature(min, (value) => !Number.isNaN(value)) && everyFeature(max, (value) => !Number.isNaN(value));
  const at = (ends: PerFeature, i: number) => (typeof ends === 'number' ? ends : ends[i % ends.length]!);
  const longest = Math.max(...[min, max].map((ends) => (typeof ends === 'number' ? 1 : ends.length)));
  const ordered = Array.from({ length: longest }, (_, i) => at(min, i) <= at(max, i)).every(Boolean);
  if (known && ordered) return;
  throw new CertError(
    'bad-argument',
    `The range has min ${shown(min)} and max ${shown(max)}.`,
    'Give min <= max for every feature, or range: null for data without a range.',
  );
}

const shown = (values: PerFeature): string => (typeof values === 'number' ? String(values) : `[${values.join(', ')}]`);

import { CertError } from './errors.js';
import { type Tensor, tf } from './tf.js';

/**
 * A box of tensors: every `x` with `lower <= x <= upper` elementwise. All packages exchange bounds in this form.
 * `center` and `radius` are present if the producer computed in that form. Rounding of `lower` and `upper` changes the radius of a narrow
 * box (at radius 1e-6 around 1 by about 6 %), so read them with `centerOf` and `radiusOf`.
 */
export type IntervalTensor = {
  /** Lower ends, any shape. */
  readonly lower: Tensor;
  /** Upper ends, of the same shape. */
  readonly upper: Tensor;
  /** (lower + upper) / 2 without rounding, if the producer computed it. */
  readonly center?: Tensor;
  /** (upper - lower) / 2 without rounding, if the producer computed it; >= 0. */
  readonly radius?: Tensor;
};

/** An interval with all four tensors. */
export type Interval = Required<IntervalTensor>;

/** Range of valid data: numbers, or tensors that broadcast against the data (per channel: shape [channels]). */
export interface DataRange {
  /** The least value, in the units of the data. */
  readonly min: number | Tensor;
  /** The greatest value. */
  readonly max: number | Tensor;
}

/** Returns the midpoint (lower + upper) / 2 in the shape of the interval, or the exact center if the interval has one. */
export const centerOf = (box: IntervalTensor): Tensor => box.center ?? tf.mul(tf.add(box.lower, box.upper), 0.5);

/** Returns half the width, (upper - lower) / 2, in the shape of the interval, or the exact radius if the interval has one. */
export const radiusOf = (box: IntervalTensor): Tensor => box.radius ?? tf.mul(tf.sub(box.upper, box.lower), 0.5);

/**
 * Replaces negative radii by infinity and leaves all others bit-identical. A negative radius means an empty box, over which bounds would
 * prove anything; an infinite radius proves nothing. Reads no value.
 */
export const nonNegativeRadius = (radius: Tensor): Tensor =>
  tf.div(tf.abs(radius), tf.cast(tf.greaterEqual(radius, 0), 'float32'));

/**
 * Returns the radius of a box for use in bound methods: {@link radiusOf}, or infinity where the box is empty (lower > upper, or a negative
 * `radius`), so that nothing is verified over an empty box.
 */
export const soundRadiusOf = (box: IntervalTensor): Tensor => nonNegativeRadius(radiusOf(box));

/**
 * Returns the interval [center - radius, center + radius] with unchanged center and radius. Reads no value: see {@link checkInterval}.
 *
 * @throws CertError `shape-mismatch` when the two shapes differ
 */
export function fromCenterRadius(center: Tensor, radius: Tensor): Interval {
  sameShape('fromCenterRadius', center, radius);
  return { center, radius, lower: tf.sub(center, radius), upper: tf.add(center, radius) };
}

/**
 * Returns the interval [lower, upper]. Reads no value: see {@link checkInterval}.
 *
 * @throws CertError `shape-mismatch` when the two shapes differ
 */
export function fromBounds(lower: Tensor, upper: Tensor): IntervalTensor {
  sameShape('fromBounds', lower, upper);
  return { lower, upper };
}

/**
 * Returns the l-infinity ball of radius `epsilon` around `x`, clipped to the data range (equation 1 of the paper).
 *
 * If no point of the ball is in the range, the box is infinite instead of empty, so that no bound method verifies anything over it.
 *
 * @param x images, any shape, values inside the range (see {@link checkInRange})
 * @param epsilon radius in the units of `x` (raw pixels for images in [0, 1]): a number, a scalar tensor, or per channel of shape
 * [channels]
 * @param range default [0, 1]; pass `null` for no clipping
 * @returns four new tensors of the shape of `x`, the caller's to dispose
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN, infinite, or neither a number nor a tensor; values of a tensor are
 * not read
 */
export function linfBall(x: Tensor, epsilon: number | Tensor, range: DataRange | null = { min: 0, max: 1 }): Interval {
  if (!(epsilon instanceof tf.Tensor)) checkEpsilon(epsilon);
  return tf.tidy(() => {
    if (range === null) return fromCenterRadius(tf.clone(x), tf.mul(tf.onesLike(x), epsilon));
    // The distances to both faces first: x +- epsilon would round a small epsilon away.
    const down = tf.minimum(tf.sub(x, range.min), epsilon);
    const up = tf.minimum(tf.sub(range.max, x), epsilon);
    const half = tf.mul(tf.add(up, down), 0.5);
    const radius = nonNegativeRadius(half);
    // 0, or infinite where no point of the ball lies in the range.
    const excess = tf.sub(radius, tf.abs(half));
    return {
      lower: tf.sub(tf.maximum(tf.sub(x, epsilon), range.min), excess),
      upper: tf.add(tf.minimum(tf.add(x, epsilon), range.max), excess),
      center: tf.add(x, tf.mul(tf.sub(up, down), 0.5)),
      radius,
    };
  });
}

/**
 * Checks a radius that is a number.
 *
 * @throws CertError `bad-argument` unless it is a finite number >= 0
 */
export function checkEpsilon(epsilon: unknown): asserts epsilon is number {
  if (typeof epsilon === 'number' && epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY) return;
  const got = typeof epsilon === 'number' ? String(epsilon) : `not a number but ${typeof epsilon}`;
  throw new CertError(
    'bad-argument',
    `epsilon is ${got}.`,
    'Give a finite number >= 0 in the units of the images, such as 0.1 or 8/255.',
  );
}

/** Returns the least and greatest value of a range over all channels. `undefined` stands for [0, 1], `null` for no range. */
export async function readRange(
  range: DataRange | null | undefined,
): Promise<{ readonly min: number; readonly max: number } | null> {
  if (range === null) return null;
  if (range === undefined) return { min: 0, max: 1 };
  const read = async (end: DataRange['min']) => (typeof end === 'number' ? [end] : Array.from(await end.data()));
  return { min: Math.min(...(await read(range.min))), max: Math.max(...(await read(range.max))) };
}

/** How far beyond the range values may lie: the rounding of a normalization to float32. */
const RANGE_SLACK = 1e-6;

/**
 * Checks values on the host against a data range.
 *
 * @param values row-major, `size` numbers each
 * @param range numbers; `null` for no range: then only NaN and infinity are refused
 * @param first index of the first image, for the message
 * @throws CertError `bad-data` naming the first value that is NaN, infinite or outside the range
 */
export function checkInRange(
  values: ArrayLike<number>,
  range: { readonly min: number; readonly max: number } | null,
  size: number,
  first = 0,
): void {
  const [min, max] = range === null ? [-Number.MAX_VALUE, Number.MAX_VALUE] : [range.min, range.max];
  const slack = range === null ? 0 : RANGE_SLACK * Math.max(1, Math.abs(min), Math.abs(max));
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value >= min - slack && value <= max + slack) continue;
    const where = `Image ${first + Math.floor(i / size)} has the value ${value} at position ${i % size}`;
    throw Number.isFinite(value)
      ? new CertError(
          'bad-data',
          `${where}, outside the range [${min}, ${max}].`,
          'Give the range of the data as range: { min, max }, or range: null for data without a range.',
        )
      : new CertError('bad-data', `${where}.`, 'Give finite numbers.');
  }
}

/**
 * Reads the values of an interval and throws if they are not an interval. For tests and debugging: reading waits for the device, so do not
 * call it inside a step.
 *
 * @param where name of the interval, for the message
 * @param slack how far lower may exceed upper because of rounding, absolute; default 0
 * @throws CertError `unsound` where lower > upper + slack or either is NaN, naming the first such element; `shape-mismatch` when
 * the two shapes differ
 */
export async function checkInterval(box: IntervalTensor, where: string, slack = 0): Promise<void> {
  sameShape(where, box.lower, box.upper);
  const [lower, upper] = await Promise.all([box.lower.data(), box.upper.data()]);
  for (let i = 0; i < lower.length; i++) {
    const [l, u] = [lower[i]!, upper[i]!];
    if (!(l <= u + slack)) {
      throw new CertError(
        'unsound',
        `${where}: element ${i} of shape [${box.lower.shape}] has lower ${l} and upper ${u}.`,
        'A bound rule must return lower <= upper for every element and no NaN; check the rule that produced this interval.',
      );
    }
  }
}

function sameShape(where: string, a: Tensor, b: Tensor): void {
  if (a.shape.length !== b.shape.length || a.shape.some((n, i) => n !== b.shape[i])) {
    throw new CertError(
      'shape-mismatch',
      `${where}: the two tensors of an interval have shapes [${a.shape}] and [${b.shape}].`,
      'Both must have the same shape; broadcast them first.',
    );
  }
}

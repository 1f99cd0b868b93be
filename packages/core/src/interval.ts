import { CertError } from './errors.js';
import { type Tensor, tf } from './tf.js';

/**
 * A box of tensors: every `x` with `lower <= x <= upper` elementwise. The form in which packages hand each other bounds.
 * `center` and `radius` are there when the producer computed in that form: a narrow box loses its radius to rounding in
 * `lower` and `upper` (at radius 1e-6 around 1 by some 6 %), so consumers take them through `centerOf` and `radiusOf`.
 */
export type IntervalTensor = {
  /** Lower ends, any shape. */
  readonly lower: Tensor;
  /** Upper ends, of the same shape. */
  readonly upper: Tensor;
  /** (lower + upper) / 2 without its rounding, where the producer has it. */
  readonly center?: Tensor;
  /** (upper - lower) / 2 without its rounding, where the producer has it; >= 0. */
  readonly radius?: Tensor;
};

/** An interval that carries all four of its tensors. */
export type Interval = Required<IntervalTensor>;

/** A range that valid data lies in: numbers, or tensors that broadcast against the data (per channel: shape [channels]). */
export interface DataRange {
  /** The least value, in the units of the data. */
  readonly min: number | Tensor;
  /** The greatest value. */
  readonly max: number | Tensor;
}

/** The midpoint (lower + upper) / 2, of the interval's shape: the exact center when the interval carries it. */
export const centerOf = (box: IntervalTensor): Tensor => box.center ?? tf.mul(tf.add(box.lower, box.upper), 0.5);

/** Half the width (upper - lower) / 2, of the interval's shape: the exact radius when the interval carries it. */
export const radiusOf = (box: IntervalTensor): Tensor => box.radius ?? tf.mul(tf.sub(box.upper, box.lower), 0.5);

/**
 * The interval [center - radius, center + radius], which keeps center and radius as they are. Values are not read: see
 * {@link checkInterval}.
 *
 * @throws CertError `shape-mismatch` when the two shapes differ
 */
export function fromCenterRadius(center: Tensor, radius: Tensor): Interval {
  sameShape('fromCenterRadius', center, radius);
  return { center, radius, lower: tf.sub(center, radius), upper: tf.add(center, radius) };
}

/**
 * The interval [lower, upper]. Values are not read: see {@link checkInterval}.
 *
 * @throws CertError `shape-mismatch` when the two shapes differ
 */
export function fromBounds(lower: Tensor, upper: Tensor): IntervalTensor {
  sameShape('fromBounds', lower, upper);
  return { lower, upper };
}

/**
 * The l-infinity ball of radius `epsilon` around `x`, clipped to the data range (the box of equation 1 of the paper).
 *
 * @param x images, any shape, values inside the range
 * @param epsilon radius in the units of `x` (raw pixels for images in [0, 1]): a number, a scalar tensor, or per channel of shape
 * [channels]
 * @param range default [0, 1]; pass `null` for no clipping
 * @returns four new tensors of the shape of `x`, the caller's to dispose
 * @throws CertError `bad-argument` for an epsilon number that is negative, NaN or infinite; the values of a tensor are not read
 */
export function linfBall(x: Tensor, epsilon: number | Tensor, range: DataRange | null = { min: 0, max: 1 }): Interval {
  if (typeof epsilon === 'number' && !(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY)) {
    throw new CertError(
      'bad-argument',
      `epsilon is ${epsilon}.`,
      'Give a radius that is finite and >= 0, in the units of the images (0.1, 8/255, ...).',
    );
  }
  return tf.tidy(() => {
    if (range === null) return fromCenterRadius(tf.clone(x), tf.mul(tf.onesLike(x), epsilon));
    // The distances to both faces first: x +- epsilon would round a small epsilon away.
    const down = tf.minimum(tf.sub(x, range.min), epsilon);
    const up = tf.minimum(tf.sub(range.max, x), epsilon);
    return {
      lower: tf.maximum(tf.sub(x, epsilon), range.min),
      upper: tf.minimum(tf.add(x, epsilon), range.max),
      center: tf.add(x, tf.mul(tf.sub(up, down), 0.5)),
      radius: tf.mul(tf.add(up, down), 0.5),
    };
  });
}

/**
 * Reads the interval and throws when it is not one. For tests and for debugging; it waits for the device, so it has no place
 * inside a step.
 *
 * @param where what the interval is, for the message
 * @param slack how far lower may exceed upper, in absolute terms (rounding); default 0
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

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
  /** Euclidean ball that also contains every `x`, for the inputs of a network. Methods that cannot use it bound the whole box. */
  readonly ball?: EuclideanBall;
};

/** All points within a Euclidean distance of a center. */
export type EuclideanBall = {
  /** [batch, ...shape]. */
  readonly center: Tensor;
  /** Scalar, >= 0. */
  readonly radius: Tensor;
};

/** An interval with all four tensors. */
export type Interval = IntervalTensor & Required<Pick<IntervalTensor, 'center' | 'radius'>>;

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

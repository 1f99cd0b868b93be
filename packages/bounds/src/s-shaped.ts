/** Lines around sigmoid and tanh: convex left of 0, concave right of it, with f(-x) = 2 f(0) - f(x). */
import { type IntervalTensor, mask, stopGradient, type Tensor, tf } from '@cert/core';
import { atLeast } from './linear.js';
import type { Line, Lines } from './lines.js';

const { add, maximum, minimum, mul, neg, sub } = tf;

/** A function that is shaped like an S around 0. */
interface SShaped {
  /** The function. */
  f(x: Tensor): Tensor;
  /** Its slope where its value is y. */
  slopeOf(y: Tensor): Tensor;
  /** The x >= 0 where it has this slope; infinite for the slope 0. */
  placeOf(slope: Tensor): Tensor;
  /** Its value at 0. */
  readonly middle: number;
  /** Right of this it is a constant in float32. */
  readonly flat: number;
}

/** The logistic function. */
export const SIGMOID: SShaped = {
  f: (x) => tf.sigmoid(x),
  slopeOf: (y) => mul(y, sub(1, y)),
  // y (1 - y) = s for y = (1 + sqrt(1 - 4 s)) / 2, and x = log(y / (1 - y)) = log(y^2 / s).
  placeOf(slope) {
    const y = mul(add(tf.sqrt(tf.relu(sub(1, mul(slope, 4)))), 1), 0.5);
    return sub(mul(tf.log(y), 2), tf.log(slope));
  },
  middle: 0.5,
  flat: 20,
};

/** The hyperbolic tangent. */
export const TANH: SShaped = {
  f: (x) => tf.tanh(x),
  slopeOf: (y) => sub(1, mul(y, y)),
  // 1 - y^2 = s, and x = log((1 + y) / (1 - y)) / 2 = log((1 + y)^2 / s) / 2.
  placeOf(slope) {
    const y = tf.sqrt(tf.relu(sub(1, slope)));
    return sub(tf.log(add(y, 1)), mul(tf.log(slope), 0.5));
  },
  middle: 0,
  flat: 10,
};

/** Halvings of the interval in which a tangent point is sought. What is left shows in the looseness of a line alone. */
const HALVINGS = 18;

/** Narrower than this, a chord has the slope in the middle: the difference of two values nearby is mostly rounding. */
const NARROW = 0.01;

/** More than float32 may err in values of a function from -1 to 1, in the network and here. */
const ERROR = 2e-6;
/** The same, relative to slope times x. */
const RELATIVE_ERROR = 2 ** -22;

/** a where the mask is 1, b where it is 0; both finite. */
const choose = (where: Tensor, a: Tensor, b: Tensor): Tensor => add(mul(where, a), mul(sub(1, where), b));

/**
 * A point d in [0, u] such that the tangent at d, and at every point right of it, lies above the function at l: from there on it is above
 * all of [l, u]. The right end where no such point is found before it.
 */
function tangentPoint({ f, slopeOf, flat }: SShaped, lower: Tensor, upper: Tensor): Tensor {
  const start = f(lower);
  let [left, right] = [tf.zerosLike(upper), minimum(tf.relu(upper), flat)];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = mul(add(left, right), 0.5);
    const value = f(middle);
    const below = tf.greater(sub(mul(slopeOf(value), sub(middle, lower)), sub(value, start)), 0);
    const passesBelow = tf.cast(below, 'float32');
    left = choose(passesBelow, middle, left);
    right = choose(passesBelow, right, middle);
  }
  return right;
}

/** Slopes of lines above the function on [l, u], >= 0. */
interface Slopes {
  /** That of the tangent in the middle where it lies above the function, else of the tangent through the left end, or of the chord. */
  readonly usual: Tensor;
  /**
   * Of the steepest and the flattest tangent that lies above the function the one that differs more from the usual slope; the usual slope where no
   * tangent does.
   */
  readonly other: Tensor;
}

function slopesAbove(shape: SShaped, lower: Tensor, upper: Tensor): Slopes {
  const { f, slopeOf } = shape;
  const touch = stopGradient(() => tangentPoint(shape, lower, upper));
  const atEnd = mask(() => tf.greaterEqual(touch, upper));
  const center = mul(add(lower, upper), 0.5);
  const curved = mask(() => tf.greaterEqual(center, touch));
  const end = choose(atEnd, upper, touch);
  const width = sub(end, lower);
  const narrow = mask(() => tf.less(width, NARROW));
  const chord = tf.div(sub(f(end), f(lower)), atLeast(width, NARROW));
  const tangentAt = choose(curved, center, mul(add(lower, end), 0.5));
  const isTangent = mask(() => maximum(curved, narrow));
  const usual = tf.relu(choose(isTangent, slopeOf(f(tangentAt)), chord));
  const [steep, flat] = [slopeOf(f(maximum(touch, lower))), slopeOf(f(upper))];
  const toSteep = mask(() => tf.greater(sub(steep, usual), sub(usual, flat)));
  return { usual, other: tf.relu(choose(atEnd, usual, choose(toSteep, steep, flat))) };
}

/**
 * The line of a slope >= 0 above the function on [l, u]. Whatever the slope s, the line is valid: f(x) - s x is largest at an end or right of 0 where
 * f has this slope, and the intercept is the largest of the three.
 */
function lineAbove(shape: SShaped, slope: Tensor, lower: Tensor, upper: Tensor): Required<Line> {
  const { f, placeOf } = shape;
  // At the place where the slopes agree the intercept is stationary, so that the place carries no gradient.
  const place = stopGradient(() => minimum(maximum(placeOf(slope), lower), upper));
  const above = (x: Tensor) => sub(f(x), mul(slope, x));
  const farther = maximum(tf.abs(lower), tf.abs(upper));
  const margin = add(mul(mul(slope, farther), RELATIVE_ERROR), ERROR);
  return { slope, intercept: add(maximum(above(lower), maximum(above(upper), above(place))), margin) };
}

/**
 * The lines of an S-shaped function on [l, u]: tangents and chords, moved apart by more than float32 may err. A line below is one above of the
 * function turned around 0.
 */
export function sShapedLines(shape: SShaped, { lower, upper }: IntervalTensor): Lines {
  const above = lineAbove(shape, slopesAbove(shape, lower, upper).usual, lower, upper);
  const ends = [neg(upper), neg(lower)] as const;
  const slopes = slopesAbove(shape, ...ends);
  const below = (of: Tensor): Required<Line> => {
    const { slope, intercept } = lineAbove(shape, of, ...ends);
    return { slope, intercept: sub(2 * shape.middle, intercept) };
  };
  const usual = below(slopes.usual);
  return {
    lowerSlope: usual.slope,
    lowerIntercept: usual.intercept,
    upperSlope: above.slope,
    upperIntercept: above.intercept,
    family: [usual, below(slopes.other)],
  };
}

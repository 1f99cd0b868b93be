import { sizeOf, type Tensor, tf } from '@cert/core';
import { perImage } from './clamp.js';

/** The ends of a box, like the points in it. */
interface Box {
  readonly lower: Tensor;
  readonly upper: Tensor;
}

/** How lengths are measured, and what is closest by this measure. */
export interface Norm {
  /** The length of each vector of a batch, [batch]. */
  length(x: Tensor): Tensor;
  /** The distance between the points of two batches, in units of the reach of each feature, [batch]. */
  distance(x: Tensor, y: Tensor): Tensor;
  /**
   * The closest points of a hyperplane inside a box, or the corners closest to it where the box does not reach it.
   *
   * @param point [batch, ...], inside the box
   * @param slope the gradient of the linear function that is 0 on the hyperplane, like `point`
   * @param value of the linear function at the point, [batch]
   * @returns like `point`
   */
  ontoHyperplane(point: Tensor, slope: Tensor, value: Tensor, box: Box): Tensor;
}

/** The l-infinity norm: the largest coordinate, in distances divided by the reach of its feature. Features without reach do not move. */
export const maximumNorm = (reach: Tensor | number): Norm => {
  const length = (x: Tensor) => tf.max(tf.abs(flat(x)), 1);
  const unit = typeof reach === 'number' ? reach || 1 : tf.maximum(reach, 1e-20);
  return {
    length,
    distance: (x, y) => length(tf.div(tf.sub(x, y), unit)),
    ontoHyperplane: (point, slope, value, box) => alongSlope(point, slope, value, box, reach),
  };
};

const euclideanLength = (x: Tensor) => tf.sqrt(tf.sum(tf.square(flat(x)), 1));

/** The Euclidean norm. */
export const EUCLIDEAN_NORM: Norm = {
  length: euclideanLength,
  distance: (x, y) => euclideanLength(tf.sub(x, y)),
  /** Among points with the same value, the closest has moved each coordinate in proportion to its slope, up to the end of the box. */
  ontoHyperplane(point, slope, value, box) {
    // With a largest slope of 1, no square of a slope that matters underflows.
    const largest = tf.maximum(tf.max(tf.abs(flat(slope)), 1), 1e-20);
    const scaled = tf.div(slope, perImage(largest, slope));
    return alongSlope(point, scaled, tf.div(value, largest), box, tf.abs(scaled));
  },
};

const flat = (x: Tensor): Tensor => tf.reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);

/** Newton steps of a projection. On images most projections take fewer than 10; those that end close to a corner of the box take more. */
const NEWTON_STEPS = 16;

/** A movement beyond any data. */
const FAR = 1e10;

/**
 * Moves each coordinate by min(t speed, its room) along the slope, with the smallest t that reaches the hyperplane. What the movement gains,
 * sum_i |slope_i| min(t speed_i, room_i), is concave and piecewise linear in t, so Newton steps from t = 0 never pass the solution and reach
 * it after finitely many.
 */
function alongSlope(
  point: Tensor,
  slope: Tensor,
  value: Tensor,
  { lower, upper }: Box,
  speed: Tensor | number,
): Tensor {
  const direction = tf.mul(tf.sign(slope), perImage(tf.neg(tf.sign(value)), point));
  const room = flat(tf.maximum(tf.where(tf.greater(direction, 0), tf.sub(upper, point), tf.sub(point, lower)), 0));
  const gain = flat(tf.abs(slope));
  const each = flat(tf.mul(tf.onesLike(point), speed));
  const wanted = tf.abs(value);
  let t: Tensor = tf.zerosLike(value);
  for (let i = 0; i < NEWTON_STEPS; i++) {
    const moved = tf.mul(each, tf.expandDims(t, 1));
    const reached = tf.sum(tf.mul(gain, tf.minimum(room, moved)), 1);
    const rate = tf.sum(tf.mul(tf.mul(gain, each), tf.cast(tf.greater(room, moved), 'float32')), 1);
    const ahead = tf.div(tf.maximum(tf.sub(wanted, reached), 0), tf.maximum(rate, 1e-20));
    t = tf.minimum(tf.add(t, ahead), FAR);
  }
  const move = tf.reshape(tf.minimum(room, tf.mul(each, tf.expandDims(t, 1))), point.shape);
  return tf.add(point, tf.mul(direction, move));
}

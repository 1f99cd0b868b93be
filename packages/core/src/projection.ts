import { hullOf } from './categories.js';
import { sizeOf } from './model.js';
import { perFeatureTensor } from './per-feature.js';
import { perturbationBox } from './perturbation.js';
import type { LinfPerturbation, Perturbation } from './perturbation-set.js';
import { type Tensor, tf } from './tf.js';

/** A little less than 1: a projected point stays in the ball after rounding. */
const INSIDE = 1 - 2 ** -20;

/** Beyond any data: the square of an offset stays finite, and NaN is not below it. */
const FAR = 1e15;

/** Keeps a division by a norm defined. */
const TINY = 1e-30;

/**
 * Returns the reach of each feature in multiples of the radius, the larger one of both directions: a number, or a tensor that broadcasts
 * against a batch of inputs.
 *
 * @param x [batch, ...inputShape]
 */
export function perturbationReach(perturbation: LinfPerturbation, x: Tensor): Tensor | number {
  const { up, down } = hullOf(perturbation, x.shape.slice(1));
  const above = perFeatureTensor(up, x);
  return up === down ? above : tf.maximum(above, perFeatureTensor(down, x));
}

/**
 * Returns the projection onto the perturbation sets around a batch of inputs. Points with a NaN become valid points. Reads no value.
 *
 * @param x [batch, ...inputShape], inside the range
 * @param epsilon replaces the radius of the set
 * @returns a function of points in the shape of `x`
 */
export function projection(
  perturbation: Perturbation,
  x: Tensor,
  epsilon: number | Tensor = perturbation.epsilon,
): (points: Tensor) => Tensor {
  const { lower, upper } = perturbationBox(perturbation, x, epsilon);
  const intoBox = (points: Tensor) => tf.where(tf.greaterEqual(points, lower), tf.minimum(points, upper), lower);
  if (perturbation.kind === 'linf') return intoBox;
  return (points) => {
    const away = tf.sub(points, x);
    const offset = tf.where(tf.less(tf.abs(away), FAR), away, tf.zerosLike(x));
    const factor = tf.minimum(1, tf.div(tf.mul(epsilon, INSIDE), tf.maximum(norms(offset), TINY)));
    // The range contains x, so clipping to it does not leave the ball.
    return intoBox(tf.add(x, tf.mul(offset, factor)));
  };
}

/**
 * Returns the step of length 1, in units of the radius, that raises a linear function most: the sign of the gradient times the reach of each
 * feature, or the normalized gradient in a Euclidean set.
 *
 * @param gradient [batch, ...inputShape]
 * @returns like the gradient
 */
export const steepest = (perturbation: Perturbation, gradient: Tensor): Tensor => {
  if (perturbation.kind === 'l2') return tf.div(gradient, tf.maximum(norms(gradient), TINY));
  const reach = perturbationReach(perturbation, gradient);
  return reach === 1 ? tf.sign(gradient) : tf.mul(tf.sign(gradient), reach);
};

/** Euclidean norm of each example, [batch, 1, ..., 1]. */
const norms = (x: Tensor): Tensor => {
  const [batch = 0, ...shape] = x.shape;
  const flat = tf.reshape(x, [batch, sizeOf(shape)]);
  return tf.reshape(tf.sqrt(tf.sum(tf.square(flat), 1)), [batch, ...shape.map(() => 1)]);
};

import { withGradient } from './custom-gradient.js';
import { type Tensor, tf } from './tf.js';

/**
 * Returns the mean over some axes, which are removed. Equal to `tf.mean`, but the gradient is a broadcast instead of an array as large as
 * `x`, so tracing time does not depend on the batch size.
 *
 * @param x any shape, float32
 * @param axes distinct and not negative; default all of them, for a scalar
 * @returns the shape of `x` without these axes
 */
export function mean(x: Tensor, axes: readonly number[] = x.shape.map((_, axis) => axis)): Tensor {
  const kept = x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
  const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  return withGradient((input: Tensor) => ({
    value: tf.mean(input, [...axes]),
    gradient: (dy) => tf.broadcastTo(tf.reshape(tf.div(dy, count), kept), x.shape),
  }))(x);
}

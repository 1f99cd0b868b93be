import { withGradient } from './custom-gradient.js';
import { type Tensor, tf } from './tf.js';

/**
 * The mean over some axes, which drop out. As `tf.mean`, whose gradient fills an array of ones as large as `x`: this one's is a
 * broadcast, so that tracing a function takes no longer for a larger batch.
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

import { type Bounds, type Tensor, tf } from '@cert/core';

/**
 * The lower margins of bounds, NaN for an image that has an infinite or undefined bound at any node. Such a bound comes from weights or
 * statistics that are not finite, or from overflow: a ReLU hides it, and what follows would look like a proof.
 *
 * @returns [batch, rows], to the last bit those of `output.lower` where every bound is finite
 */
export function finiteMargins({ output, at }: Bounds): Tensor {
  const [batch] = output.lower.shape as [number];
  const widths = Object.values(at).map(({ lower, upper }) =>
    tf.sum(tf.reshape(tf.sub(upper, lower), [batch, lower.shape.slice(1).reduce((a, b) => a * b, 1)]), 1, true),
  );
  return widths.reduce((margins, width) => tf.add(margins, tf.mul(width, 0)), output.lower);
}

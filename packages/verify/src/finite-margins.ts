import { type BatchNormStats, type Bounds, type Tensor, tf } from '@cert/core';

/**
 * The lower margins of bounds, NaN for an image that has an infinite or undefined bound at any node. Such a bound comes from weights or
 * statistics that are not finite, or from overflow: a ReLU hides it, and what follows would look like a proof. An infinite variance alone
 * leaves finite bounds, of a normalization that forgets its input: it makes all margins NaN.
 *
 * @param norm the statistics that the bounds were computed with
 * @returns [batch, rows], to the last bit those of `output.lower` where everything is finite
 */
export function finiteMargins({ output, at }: Bounds, norm: BatchNormStats): Tensor {
  const [batch] = output.lower.shape as [number];
  const widths = Object.values(at).map(({ lower, upper }) =>
    tf.sum(tf.reshape(tf.sub(upper, lower), [batch, lower.shape.slice(1).reduce((a, b) => a * b, 1)]), 1, true),
  );
  const statistics = Object.values(norm).flatMap((moments) => Object.values(moments).map((values) => tf.sum(values)));
  return [...widths, ...statistics].reduce((margins, value) => tf.add(margins, tf.mul(value, 0)), output.lower);
}

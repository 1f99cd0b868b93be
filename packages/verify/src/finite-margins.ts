import { nonlinearInputs } from '@cert/bounds';
import { type Bounds, type IntervalTensor, type Network, sizeOf, type Tensor, tf } from '@cert/core';

/**
 * The lower margins of bounds, NaN for an image that has an infinite or undefined bound at any node. Such a bound comes from weights or
 * statistics that are not finite, or from overflow: a ReLU hides it, and what follows would look like a proof. A linear op hides nothing (0
 * times infinity is NaN), so bounds are looked at where a nonlinear op reads them. An infinite variance alone leaves finite bounds, of a
 * normalization that forgets its input: it makes all margins NaN.
 *
 * @param network what was bounded
 * @returns [batch, rows], to the last bit those of `output.lower` where everything is finite
 */
export function finiteMargins({ model, norm = {} }: Network, { output, at }: Bounds): Tensor {
  const sizes = nonlinearInputs(model).flatMap((node) => partsOf(at[node]!).map(sumOfImage));
  const statistics = Object.values(norm).flatMap((moments) => Object.values(moments).map((values) => tf.sum(values)));
  return [...sizes, ...statistics].reduce((margins, value) => tf.add(margins, tf.mul(value, 0)), output.lower);
}

/** Tensors of which one is not finite where an end of the interval is not: as they are, when the producer has them. */
const partsOf = ({ lower, upper, center, radius }: IntervalTensor): readonly Tensor[] =>
  center !== undefined && radius !== undefined ? [center, radius] : [tf.sub(upper, lower)];

/** [batch, ...shape] to [batch, 1]. */
const sumOfImage = (x: Tensor): Tensor => {
  const [batch, ...shape] = x.shape as [number, ...number[]];
  return tf.sum(tf.reshape(x, [batch, sizeOf(shape)]), 1, true);
};

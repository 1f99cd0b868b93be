import { type Tensor, tf } from '@cert/core';

/**
 * Runs `f` so that no gradient flows through what it returns: a custom gradient without inputs puts nothing of `f` on the
 * tape. TensorFlow.js has no stop-gradient, and comparisons have no gradient at all, so that a mask on the tape would throw.
 */
export function detached(f: () => Tensor): Tensor {
  return tf.customGrad(() => ({ value: f(), gradFunc: () => [] }))();
}

/**
 * `x` itself, but where `open` is false no gradient flows back through it, whatever it is: 0 times an infinite factor further on
 * is NaN, and leaving a value out of a sum does not keep that NaN from its gradient.
 *
 * @param open a boolean scalar
 */
export function gated(x: Tensor, open: Tensor): Tensor {
  const gate = tf.customGrad((input, save) => {
    (save as (tensors: Tensor[]) => void)([open]);
    return {
      value: tf.clone(input as Tensor),
      gradFunc: (dy: Tensor, saved: Tensor[]) => tf.where(saved[0]!, dy, tf.zerosLike(dy)),
    };
  });
  return gate(x);
}

import { type Tensor, tf } from '@cert/core';

/**
 * Runs `f` so that no gradient flows through what it returns: a custom gradient without inputs puts nothing of `f` on the
 * tape. TensorFlow.js has no stop-gradient, and comparisons have no gradient at all, so that a mask on the tape would throw.
 */
export function detached(f: () => Tensor): Tensor {
  return tf.customGrad(() => ({ value: f(), gradFunc: () => [] }))();
}

import { withGradient } from './custom-gradient.js';
import { type Tensor, type Tensor1D, type Tensor2D, tf } from './tf.js';

/**
 * log(sum(exp(x))) over the last axis, without overflow: [..., n] to [...]. The gradient is the softmax.
 */
export const logSumExp = withGradient((x: Tensor) => {
  const shift = tf.max(x, -1, true);
  const value = tf.add(tf.log(tf.sum(tf.exp(tf.sub(x, shift)), -1)), tf.squeeze(shift, [-1]));
  return {
    value,
    saved: [x, value],
    gradient: (dy, input, result) => tf.mul(tf.expandDims(dy, -1), tf.exp(tf.sub(input!, tf.expandDims(result!, -1)))),
  };
});

/**
 * Returns logit_j - logit_y for every class j, including y (exactly 0).
 *
 * @param logits [batch, classes]
 * @param labels int32 [batch], each in [0, classes)
 * @returns [batch, classes]
 */
export function advantages(logits: Tensor, labels: Tensor): Tensor {
  const oneHot = tf.gather(tf.eye(logits.shape[1]!), labels as Tensor1D) as Tensor2D;
  return tf.sub(logits, tf.sum(tf.mul(logits, oneHot), 1, true));
}

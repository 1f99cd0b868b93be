import { type Tensor, type Tensor1D, type Tensor2D, tf } from './tf.js';

/**
 * log(sum(exp(x))) over the last axis, without overflow: [..., n] to [...]. Its gradient is the softmax.
 */
export const logSumExp = tf.customGrad((input, save) => {
  const x = input as Tensor;
  const shift = tf.max(x, -1, true);
  const value = tf.add(tf.log(tf.sum(tf.exp(tf.sub(x, shift)), -1)), tf.squeeze(shift, [-1]));
  (save as (tensors: Tensor[]) => void)([x, value]);
  return {
    value,
    gradFunc: (dy: Tensor, saved: Tensor[]) =>
      tf.mul(tf.expandDims(dy, -1), tf.exp(tf.sub(saved[0]!, tf.expandDims(saved[1]!, -1)))),
  };
}) as (x: Tensor) => Tensor;

/**
 * logit_j - logit_y for every class j, y included (there it is exactly 0).
 *
 * @param logits [batch, classes]
 * @param labels int32 [batch], each in [0, classes)
 * @returns [batch, classes]
 */
export function advantages(logits: Tensor, labels: Tensor): Tensor {
  const oneHot = tf.gather(tf.eye(logits.shape[1]!), labels as Tensor1D) as Tensor2D;
  return tf.sub(logits, tf.sum(tf.mul(logits, oneHot), 1, true));
}

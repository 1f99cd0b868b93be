/** Linear ops as plain tensor functions; every method builds its rules from these. */
import { type NodeOf, type Tensor, type Tensor2D, type Tensor4D, tf } from '@cert/core';

/** x * W for a convolution (no bias): [batch, h, w, c] to [batch, h', w', filters]. Padding is symmetric. */
export function convolve(node: NodeOf<'conv2d'>, x: Tensor, kernel: Tensor): Tensor {
  const { stride, padding, groups } = node.attrs;
  const one = (image: Tensor, filter: Tensor) => tf.conv2d(image as Tensor4D, filter as Tensor4D, stride, padding);
  if (groups === 1) return one(x, kernel);
  const images = tf.split(x, groups, 3);
  const filters = tf.split(kernel, groups, 3);
  return tf.concat(
    images.map((image, g) => one(image, filters[g]!)),
    3,
  );
}

/** x W for a dense layer (no bias): [batch, in] to [batch, out]. */
export const multiply = (x: Tensor, kernel: Tensor): Tensor => tf.matMul(x as Tensor2D, kernel as Tensor2D);

/** [batch, h, w, c] to [batch, h * w * c]. */
export const flattenBatch = (x: Tensor): Tensor =>
  // The size is computed: -1 cannot be inferred for an empty batch.
  tf.reshape(x, [x.shape[0]!, x.shape.slice(1).reduce((a, b) => a * b, 1)]);

/** Mean over height and width. */
export const meanOverSpace = (x: Tensor): Tensor => tf.mean(x, [1, 2]);

/** Mean over windows. */
export const poolMean = (node: NodeOf<'avgPool'>, x: Tensor): Tensor =>
  tf.avgPool(x as Tensor4D, node.attrs.size, node.attrs.size, 'valid');

/** |x| whose gradient at 0 is 0 (the subgradient that the reference implementation takes; TensorFlow.js takes -1). */
export const magnitude = tf.customGrad((x, save) => {
  (save as (tensors: Tensor[]) => void)([x as Tensor]);
  return {
    value: tf.abs(x as Tensor),
    gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, tf.sign(saved[0]!)),
  };
}) as (x: Tensor) => Tensor;

/** max(x, floor); the gradient is that of x above the floor, and 0 below. */
export const atLeast = (x: Tensor, floor: number): Tensor =>
  tf.customGrad((input, save) => {
    (save as (tensors: Tensor[]) => void)([input as Tensor]);
    return {
      value: tf.maximum(input as Tensor, floor),
      gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, tf.cast(tf.greater(saved[0]!, floor), 'float32')),
    };
  })(x);

/** max(x, 0), whose gradient is read off the result: what is in front of it need not be kept. */
export const rectify = tf.customGrad((x, save) => {
  const value = tf.relu(x as Tensor);
  (save as (tensors: Tensor[]) => void)([value]);
  return {
    value,
    gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, tf.cast(tf.greater(saved[0]!, 0), 'float32')),
  };
}) as (x: Tensor) => Tensor;

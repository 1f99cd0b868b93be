/** Linear ops as plain tensor functions; every method builds its rules from these. */
import { type NodeOf, sizeOf, type Tensor, type Tensor2D, type Tensor4D, tf, withGradient } from '@cert/core';

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
  tf.reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);

/** Mean over height and width. */
export const meanOverSpace = (x: Tensor): Tensor => tf.mean(x, [1, 2]);

/** Mean over windows. */
export const poolMean = (node: NodeOf<'avgPool'>, x: Tensor): Tensor =>
  tf.avgPool(x as Tensor4D, node.attrs.size, node.attrs.size, 'valid');

/** |x| whose gradient at 0 is 0 (the subgradient that the reference implementation takes; TensorFlow.js takes -1). */
export const magnitude = withGradient((x: Tensor) => ({
  value: tf.abs(x),
  saved: [x],
  gradient: (dy, input) => tf.mul(dy, tf.sign(input!)),
}));

/** max(x, floor); the gradient is that of x above the floor, and 0 below. */
export const atLeast = (x: Tensor, floor: number): Tensor =>
  withGradient((input: Tensor) => ({
    value: tf.maximum(input, floor),
    saved: [input],
    gradient: (dy, kept) => tf.mul(dy, tf.cast(tf.greater(kept!, floor), 'float32')),
  }))(x);

/** max(x, 0), whose gradient is read off the result: what is in front of it need not be kept. */
export const rectify = withGradient((x: Tensor) => {
  const value = tf.relu(x);
  return { value, saved: [value], gradient: (dy, kept) => tf.mul(dy, tf.cast(tf.greater(kept!, 0), 'float32')) };
});

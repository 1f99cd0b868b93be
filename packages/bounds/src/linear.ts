/** Linear ops as plain tensor functions; every method builds its rules from these. */
import {
  type NodeOf,
  placesOf,
  type Shape,
  sizeOf,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
  type Window,
  windowOf,
  withGradient,
} from '@cert/core';
import { pixelsSeen, windowElements } from './windows.js';

/**
 * The strides and the padding of a window as TensorFlow.js takes them. A padding of one number is used with square windows and one stride
 * alone: TensorFlow.js counts columns by the height of the window and the stride of the rows.
 */
export function geometryOf({ size, stride, padding, dilation }: Window): {
  readonly strides: [number, number];
  readonly pad: number | [[number, number], [number, number], [number, number], [number, number]];
} {
  const [top, bottom, left, right] = padding;
  const isSquare = [size, stride, dilation].every(([down, across]) => down === across);
  const even = isSquare && padding.every((n) => n === top);
  return {
    strides: [...stride],
    pad: even
      ? top
      : [
          [0, 0],
          [top, bottom],
          [left, right],
          [0, 0],
        ],
  };
}

/**
 * A kernel [height, width, in, out] with its dilation as zeros between its elements, for forward and backward alike: TensorFlow.js has no
 * gradient and no transpose of a dilated convolution. Zeros change no sum.
 */
export function denseKernel({ size, dilation }: Window, kernel: Tensor): Tensor {
  if (dilation[0] === 1 && dilation[1] === 1) return kernel;
  const [height, width] = size;
  const [down, across] = dilation;
  const [inputs, outputs] = kernel.shape.slice(2) as [number, number];
  const apart = tf.reshape(kernel, [height, 1, width, 1, inputs * outputs]);
  const gaps: [number, number][] = [[0, 0], [0, down - 1], [0, 0], [0, across - 1], [0, 0]]; // biome-ignore format: one line a shape
  const wide = tf.reshape(tf.pad(apart, gaps), [height * down, width * across, inputs, outputs]);
  return tf.slice(wide, [0, 0, 0, 0], [(height - 1) * down + 1, (width - 1) * across + 1, inputs, outputs]);
}

/** x * W for a convolution (no bias): [batch, h, w, c] to [batch, h', w', filters]. */
export function convolve(node: NodeOf<'conv2d'>, x: Tensor, kernel: Tensor): Tensor {
  const { groups } = node.attrs;
  const window = windowOf(node);
  const { strides, pad } = geometryOf(window);
  const weights = denseKernel(window, kernel);
  const one = (image: Tensor, filter: Tensor) => tf.conv2d(image as Tensor4D, filter as Tensor4D, strides, pad);
  if (groups === 1) return one(x, weights);
  const images = tf.split(x, groups, 3);
  const filters = tf.split(weights, groups, 3);
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

/** How many places of a window count for the mean that a node takes, one number for each window: undefined where all windows are whole. */
export function countsOf(node: NodeOf<'avgPool'>, input: Shape): Float32Array | undefined {
  const window = windowOf(node);
  return node.attrs.countPadding === true || window.padding.every((n) => n === 0)
    ? undefined
    : pixelsSeen(window, input);
}

/** Mean over windows. */
export function poolMean(node: NodeOf<'avgPool'>, x: Tensor): Tensor {
  const window = windowOf(node);
  const [top, bottom, left, right] = window.padding;
  const padded = window.padding.some((n) => n > 0);
  // TensorFlow.js never counts padding, and its gradient cannot be compiled with padding.
  const image = padded ? tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]]) : x; // biome-ignore format: one line a shape
  const means = tf.avgPool(image as Tensor4D, [...window.size], [...window.stride], 'valid');
  const input = x.shape.slice(1);
  const counts = countsOf(node, input);
  if (counts === undefined) return means;
  const all = sizeOf(window.size);
  return tf.mul(
    means,
    tf.tensor(
      counts.map((count) => all / count),
      [...placesOf(window, input), 1],
    ),
  );
}

/** Numbers of an affine node as a tensor that broadcasts over its input: [channels], or the shape itself. */
export const perElement = (values: readonly number[], shape: Shape): Tensor =>
  values.length === shape.at(-1) ? tf.tensor1d([...values]) : tf.tensor([...values], [...shape]);

/** Places that padding adds to a maximum: no float32 number is less. */
export const LOWEST = -(2 - 2 ** -23) * 2 ** 127;

/** Maximum over windows. */
export const poolMax = (node: NodeOf<'maxPool'>, x: Tensor): Tensor =>
  windowElements(windowOf(node), x, LOWEST).reduce((a, b) => tf.maximum(a, b));

/** x where x >= 0, slope x elsewhere. */
export const leak = (node: NodeOf<'leakyRelu'>, x: Tensor): Tensor => tf.leakyRelu(x, node.attrs.slope);

/** [batch, ...] to [batch, ...shape], row-major. */
export const reshapeBatch = (shape: Shape, x: Tensor): Tensor => tf.reshape(x, [x.shape[0]!, ...shape]);

/** The axes behind the batch in another order. */
export const permuteBatch = (perm: readonly number[], x: Tensor): Tensor =>
  tf.transpose(x, [0, ...perm.map((axis) => axis + 1)]);

/** Behind each other along an axis, which counts from 0 behind the batch. */
export const concatBatch = (axis: number, xs: readonly Tensor[]): Tensor => tf.concat([...xs], axis + 1);

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

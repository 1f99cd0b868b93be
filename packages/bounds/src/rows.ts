/** Rows of coefficients: linear functions of the values of one node. */
import { type Shape, sizeOf, type Tensor, type Tensor1D, tf } from '@cert/core';

const { add, reshape } = tf;

/** Linear functions of one node: `count` rows of coefficients for every image. See {@link coefficientsOf}. */
export interface Rows {
  /**
   * [images * count, ...shape of the node], with the rows of an image adjacent. `images` is the batch size, or 1 if all images have the
   * same rows (before the first nonlinear op).
   */
  readonly coefficients: Tensor;
  /** Number of linear functions per image. */
  readonly count: number;
}

/** Result of a backward rule. */
export interface BackwardStep {
  /** Rows on each input of the node, in order, with the same `count`. */
  readonly inputs: readonly Rows[];
  /** Constant term, [images, count]; default 0. */
  readonly bias?: Tensor;
}

/** How many images the rows are for: the batch, or 1 where they are the same for all. */
export const imagesOf = ({ coefficients, count }: Rows): number => coefficients.shape[0]! / count;

/** Returns the rows with a separate image axis: [images, count, ...shape]. */
export const coefficientsOf = (rows: Rows): Tensor =>
  reshape(rows.coefficients, [imagesOf(rows), rows.count, ...rows.coefficients.shape.slice(1)]);

/** The sum of two rows on one node, of which one may be the same for all images. */
export function sumRows(a: Rows, b: Rows): Rows {
  const { count } = a;
  if (imagesOf(a) === imagesOf(b)) return { coefficients: add(a.coefficients, b.coefficients), count };
  return toRows(add(coefficientsOf(a), coefficientsOf(b)));
}

/** Rows of coefficients [images, count, ...shape]: the inverse of {@link coefficientsOf}. */
export const toRows = (coefficients: Tensor): Rows => {
  const [images, count, ...shape] = coefficients.shape as [number, number, ...number[]];
  return { coefficients: reshape(coefficients, [images * count, ...shape]), count };
};

/**
 * Returns unit vectors as coefficients of a node: row i selects the neuron `indices[i]`.
 *
 * @param indices int32 [count], positions in the flattened shape
 * @param shape that of the node, without the batch axis
 * @returns [count, ...shape], the same for all images
 */
export function unitRows(indices: Tensor1D, shape: Shape): Tensor {
  const [count] = indices.shape;
  const size = sizeOf(shape);
  // TensorFlow.js has no one-hot vectors of length 1.
  if (size === 1) return tf.ones([count, ...shape]);
  return tf.reshape(tf.cast(tf.oneHot(indices, size), 'float32'), [count, ...shape]);
}

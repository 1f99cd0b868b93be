import { type Spec, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '@cert/core';

/**
 * The specification of robustness: for label y one row e_y - e_j for each other class j in increasing order, so that the
 * bounds are margins logit_y - logit_j.
 *
 * @param labels int32 [batch], values in [0, classes), which are not read here
 * @returns matrix [batch, classes - 1, classes]
 */
export function marginSpec(labels: Tensor, classes: number): Spec {
  const table = new Float32Array(classes * (classes - 1) * classes);
  for (let y = 0; y < classes; y++) {
    for (let row = 0; row < classes - 1; row++) {
      const other = row < y ? row : row + 1;
      const start = (y * (classes - 1) + row) * classes;
      table[start + y] = 1;
      table[start + other] = -1;
    }
  }
  const rows = tf.tensor3d(table, [classes, classes - 1, classes]);
  return { matrix: tf.gather(rows, labels as Tensor1D) as Tensor3D };
}

/**
 * The specification multiplied into a dense layer, one layer per image.
 *
 * @param kernel [in, classes]
 * @param bias [classes]
 * @returns kernel [batch, rows, in] and bias [batch, rows]
 */
export function fuseSpec(
  spec: Spec,
  kernel: Tensor,
  bias: Tensor,
): { readonly kernel: Tensor3D; readonly bias: Tensor } {
  const [batch, rows, classes] = spec.matrix.shape;
  const flat = tf.reshape(spec.matrix, [batch * rows, classes]);
  return {
    kernel: tf.reshape(tf.matMul(flat, kernel as Tensor2D, false, true), [batch, rows, kernel.shape[0]!]) as Tensor3D,
    bias: tf.reshape(tf.matMul(flat, tf.reshape(bias, [classes, 1])), [batch, rows]),
  };
}

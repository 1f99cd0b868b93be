import { type Scalar, tf } from '@cert/core';

/** The mean of scalars, one a layer; 0 when there is no layer. */
export function meanOfLayers(terms: readonly Scalar[]): Scalar {
  if (terms.length === 0) return tf.scalar(0);
  return tf.div(
    terms.reduce((sum, term) => tf.add(sum, term)),
    terms.length,
  );
}

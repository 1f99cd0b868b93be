import { mapParams, type Params, type Scalar, tf } from '@cert/core';

/** Gradients after clipping and their norm before it. */
export interface Clipped {
  /** The gradients, scaled. */
  readonly grads: Params;
  /** Their global norm before it. */
  readonly norm: Scalar;
}

/**
 * Scales all gradients by min(1, limit / (norm + 1e-6)), where norm is the Euclidean norm over all elements of all tensors.
 *
 * @param limit largest norm that is not scaled, > 0
 */
export function clipByGlobalNorm(grads: Params, limit: number): Clipped {
  const norm = globalNorm(grads);
  const factor = tf.minimum(tf.div(limit, tf.add(norm, 1e-6)), 1);
  return { grads: mapParams((g) => tf.mul(g, factor), grads), norm };
}

/** The Euclidean norm over every number of every tensor; at least one tensor. */
export function globalNorm(grads: Params): Scalar {
  const squares = Object.values(grads).flatMap((node) => Object.values(node).map((g) => tf.sum(tf.square(g))));
  return tf.sqrt(squares.reduce((a, b) => tf.add(a, b))) as Scalar;
}

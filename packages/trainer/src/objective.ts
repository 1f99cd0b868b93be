import type { Scalar, Tensor } from '@cert/core';
import { tf } from '@cert/core';
import { crossEntropy, robustLoss } from './loss.js';

/** What an objective may look at. */
export interface ObjectiveContext {
  /** Natural logits [batch, classes]. */
  readonly logits: Tensor;
  /** int32 [batch]. */
  readonly labels: Tensor;
  /** Lower bounds of the margins [batch, classes - 1]; there when `bounded` is true. */
  readonly margins?: Tensor;
}

/** What training minimizes, before regularizers. A pure function of tensors that reads no value. */
export interface Objective {
  readonly name: string;
  /** Whether `loss` reads `margins`. */
  readonly bounded: boolean;
  loss(context: ObjectiveContext): Scalar;
}

/** Natural training: the cross-entropy. */
export const naturalObjective: Objective = {
  name: 'natural',
  bounded: false,
  loss: ({ logits, labels }) => crossEntropy(logits, labels),
};

/**
 * Certified training: the robust loss of the lower margins.
 *
 * @param options `naturalWeight` times the natural cross-entropy is added; default 0
 */
export function robustObjective({ naturalWeight = 0 }: { readonly naturalWeight?: number } = {}): Objective {
  return {
    name: 'robust',
    bounded: true,
    loss({ logits, labels, margins }) {
      const robust = robustLoss(margins!);
      return naturalWeight === 0
        ? robust
        : (tf.add(robust, tf.mul(crossEntropy(logits, labels), naturalWeight)) as Scalar);
    },
  };
}

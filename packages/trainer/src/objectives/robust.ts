import { type Scalar, tf } from '@cert/core';
import { crossEntropy, robustLoss } from '../loss.js';
import type { BoundedObjective } from './objective.js';

/** Options of objectives that bound the loss. */
export interface CertifiedOptions {
  /** Weight of the natural cross-entropy (default 0). */
  readonly naturalWeight?: number;
}

/** Returns the objective of certified training: the robust loss of the lower margins (equation 2 of the paper). Named `robust`. */
export const robustObjective = ({ naturalWeight = 0 }: CertifiedOptions = {}): BoundedObjective =>
  withNaturalLoss(naturalWeight, {
    name: 'robust',
    bounded: true,
    weighted: true,
    loss: ({ bounds, weights }) => robustLoss(bounds.output.lower, weights),
  });

/** An objective with `weight` times the natural cross-entropy added; the objective itself for 0. */
export const withNaturalLoss = (weight: number, objective: BoundedObjective): BoundedObjective =>
  weight === 0
    ? objective
    : {
        ...objective,
        loss(context) {
          const { logits, labels, weights } = context;
          return tf.add(objective.loss(context), tf.mul(crossEntropy(logits, labels, weights), weight)) as Scalar;
        },
      };

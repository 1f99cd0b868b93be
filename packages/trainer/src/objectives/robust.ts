import { type Scalar, tf } from '@cert/core';
import { crossEntropy, robustLoss } from '../loss.js';
import type { BoundedContext, BoundedObjective } from './objective.js';
import { checkShare } from './share.js';

/** Options of objectives that bound the loss. */
export interface CertifiedOptions {
  /** Weight of the natural cross-entropy added to the loss (default 0). */
  readonly naturalWeight?: number;
  /**
   * Share k of the natural cross-entropy, from 0 to 1, at the beginning and at the end of the ramp: the loss is k times the cross-entropy
   * plus 1 - k times the robust loss, and k is linear in the radius. Default [0, 0]. The literature calls 1 - k kappa.
   */
  readonly naturalShare?: readonly [start: number, end: number];
}

/** Returns the objective of certified training: the robust loss of the lower margins (equation 2 of the paper). Named `robust`. */
export const robustObjective = (options: CertifiedOptions = {}): BoundedObjective =>
  withNaturalLoss(options, {
    name: 'robust',
    bounded: true,
    weighted: true,
    loss: ({ bounds, weights }) => robustLoss(bounds.output.lower, weights),
  });

/**
 * Returns an objective with the natural loss mixed in or added; the objective itself without options.
 *
 * @param natural the natural loss; default: the cross-entropy
 * @throws CertError `bad-argument` for a share outside [0, 1]
 */
export function withNaturalLoss(
  { naturalWeight = 0, naturalShare = [0, 0] }: CertifiedOptions,
  objective: BoundedObjective,
  natural: (context: BoundedContext) => Scalar = crossEntropyOf,
): BoundedObjective {
  const [start, end] = naturalShare;
  for (const share of naturalShare) checkShare('share of the natural loss', share);
  if (naturalWeight === 0 && start === 0 && end === 0) return objective;
  const shared = (context: BoundedContext): Scalar => {
    if (start === 0 && end === 0) return objective.loss(context);
    const share = start === end ? start : tf.add(start, tf.mul(context.hyper.ramp!, end - start));
    return tf.add(tf.mul(natural(context), share), tf.mul(objective.loss(context), tf.sub(1, share))) as Scalar;
  };
  return {
    ...objective,
    loss: (context) =>
      naturalWeight === 0
        ? shared(context)
        : (tf.add(shared(context), tf.mul(natural(context), naturalWeight)) as Scalar),
  };
}

const crossEntropyOf = ({ logits, labels, weights }: BoundedContext): Scalar => crossEntropy(logits, labels, weights);

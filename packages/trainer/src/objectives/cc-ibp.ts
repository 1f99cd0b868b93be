import { type Tensor, type Tensor3D, tf } from '@cert/core';
import { robustLoss } from '../loss.js';
import { type ExpressiveOptions, expressive } from './expressive.js';
import type { BoundedObjective } from './objective.js';

/**
 * CC-IBP (De Palma et al. 2024): the robust loss of alpha times the lower bounds of the margins plus 1 - alpha times the margins at
 * adversarial examples. Named `cc-ibp`.
 *
 * @throws CertError `bad-argument` for an alpha outside [0, 1]
 */
export const ccIbpObjective = (options: ExpressiveOptions): BoundedObjective =>
  expressive('cc-ibp', options, ({ bounds, problem, weights }, adversarial) => {
    const { alpha } = options;
    const margins = marginsAt(problem.spec.matrix, adversarial);
    return robustLoss(tf.add(tf.mul(bounds.output.lower, alpha), tf.mul(margins, 1 - alpha)), weights);
  });

/** Margins [batch, rows] of logits [batch, classes]. */
const marginsAt = (matrix: Tensor3D, logits: Tensor): Tensor =>
  tf.squeeze(tf.matMul(matrix, tf.expandDims(logits, 2) as Tensor3D), [2]);

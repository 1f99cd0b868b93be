import { type Scalar, tf } from '@cert/core';
import { crossEntropy, robustLoss } from '../loss.js';
import { type ExpressiveOptions, expressive } from './expressive.js';
import type { BoundedObjective } from './objective.js';

/**
 * MTL-IBP (De Palma et al. 2024): alpha times the robust loss of the bounds plus 1 - alpha times the cross-entropy at adversarial
 * examples. Named `mtl-ibp`.
 *
 * @throws CertError `bad-argument` for an alpha outside [0, 1]
 */
export const mtlIbpObjective = (options: ExpressiveOptions): BoundedObjective =>
  expressive('mtl-ibp', options, ({ bounds, labels, weights }, adversarial) => {
    const { alpha } = options;
    return tf.add(
      tf.mul(robustLoss(bounds.output.lower, weights), alpha),
      tf.mul(crossEntropy(adversarial, labels, weights), 1 - alpha),
    ) as Scalar;
  });

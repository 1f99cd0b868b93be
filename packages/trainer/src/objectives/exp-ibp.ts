import { type Scalar, tf } from '@cert/core';
import { crossEntropy, robustLoss } from '../loss.js';
import { type ExpressiveOptions, expressive } from './expressive.js';
import type { BoundedObjective } from './objective.js';

/** Keeps the logarithm of a loss finite: a cross-entropy rounds to 0 where the margin is large. */
const SMALLEST_LOSS = 1e-30;

/**
 * EXP-IBP (De Palma et al. 2024): the robust loss of the bounds to the power of alpha times the cross-entropy at adversarial examples to
 * the power of 1 - alpha. Named `exp-ibp`.
 *
 * @throws CertError `bad-argument` for an alpha outside [0, 1]
 */
export const expIbpObjective = (options: ExpressiveOptions): BoundedObjective =>
  expressive('exp-ibp', options, ({ bounds, labels, weights }, adversarial) => {
    const { alpha } = options;
    const power = (loss: Scalar, exponent: number) => tf.mul(tf.log(tf.maximum(loss, SMALLEST_LOSS)), exponent);
    const [robust, plain] = [robustLoss(bounds.output.lower, weights), crossEntropy(adversarial, labels, weights)];
    return tf.exp(tf.add(power(robust, alpha), power(plain, 1 - alpha))) as Scalar;
  });

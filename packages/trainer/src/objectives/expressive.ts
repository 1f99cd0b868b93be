import type { Scalar, Tensor } from '@cert/core';
import { type AttackOptions, attack, attackNoise } from './attack.js';
import type { BoundedContext, BoundedObjective } from './objective.js';
import { type CertifiedOptions, withNaturalLoss } from './robust.js';
import { checkShare } from './share.js';

/** Options of the objectives that combine an adversarial loss with interval bounds: MTL-IBP, CC-IBP, EXP-IBP. */
export interface ExpressiveOptions extends CertifiedOptions {
  /** Weight of the bounds (alpha), from 0 (adversarial training) to 1 (IBP). */
  readonly alpha: number;
  /** Attack of the adversarial loss; default one step from a random start, of the radius of the bounds. */
  readonly attack?: AttackOptions;
}

/** One step across the box from a random start, 3 starts. */
const ONE_STEP: AttackOptions = { steps: 1, stepSize: 2, restarts: 3 };

/** Size of the steps of the published settings, for a number of steps: max(0.25, 2 / steps) times half the width of the box. */
export const expressiveStepSize = (steps: number): number => Math.max(0.25, 2 / Math.max(1, steps));

/**
 * Returns an objective that combines bounds over the whole set with the logits at adversarial examples (De Palma, Bunel, Dvijotham, Kumar,
 * Stanforth, Lomuscio 2024). The attack and the adversarial logits use the batch statistics of the clean images.
 *
 * @param combine returns the loss from the context and the logits [batch, classes] at the adversarial examples
 * @throws CertError `bad-argument` for an alpha outside [0, 1]
 */
export function expressive(
  name: string,
  { alpha, attack: options = ONE_STEP, ...natural }: ExpressiveOptions,
  combine: (context: BoundedContext, adversarial: Tensor) => Scalar,
): BoundedObjective {
  checkShare('alpha', alpha);
  return withNaturalLoss(natural, {
    name,
    bounded: true,
    weighted: true,
    noise: ({ inputShape }) => attackNoise(options, inputShape),
    choose: (context) => ({ adversarial: attack(context, options) }),
    loss: (context) => combine(context, context.forward(context.choice.adversarial!)),
  });
}

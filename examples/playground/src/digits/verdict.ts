/** What the page says of a prediction, in words. The only place that prints "Verified". */
import { radiusText } from '../numbers.js';
import { type AttackResult, attackAt } from './attack.js';
import type { Analysis } from './network.js';

/** A verdict: its mark and heading, which say the same as its color, and a sentence. */
export interface Verdict {
  readonly kind: 'verified' | 'attacked' | 'undecided' | 'invalid';
  readonly mark: string;
  readonly heading: string;
  readonly text: string;
}

const NAMES: { readonly [method: string]: string } = { ibp: 'IBP', 'crown-ibp': 'CROWN-IBP' };

/** The radius that a method verifies; null if nothing is known yet. */
export interface CertifiedRadius {
  readonly method: string;
  readonly radius: number | null;
}

/** The name of a method as papers write it. */
export const methodName = (method: string): string => NAMES[method] ?? method;

/**
 * Decides what is known of a prediction. An adversarial example of a smaller ball lies in this one, too, and a larger ball that was verified
 * contains this one: linear relaxations do not always become tighter when the ball becomes smaller.
 *
 * @param attacks results for the same image, at any radius
 * @param certified radii at which the same image was verified; null for none yet
 */
export function verdictOf(
  analysis: Analysis,
  attacks: readonly AttackResult[] = [],
  certified: readonly CertifiedRadius[] = [],
): Verdict {
  const { epsilon, prediction, bounds } = analysis;
  const radius = `ε = ${radiusText(epsilon)}`;
  if (prediction === null) {
    return verdict('invalid', 'No prediction', 'A logit is NaN or infinite, so nothing is known of this network.');
  }
  const largerBall = (name: string) =>
    certified.some(({ method, radius }) => method === name && radius !== null && radius > 0 && radius >= epsilon);
  const methods = bounds
    .filter(({ method, verified }) => verified || largerBall(method))
    .map(({ method }) => methodName(method));
  const attack = attackAt(attacks, epsilon);
  if (attack?.found && methods.length > 0) {
    return verdict(
      'invalid',
      'Contradiction',
      `${methods.join(' and ')} verified a ball in which an attack found an adversarial example: the bounds are wrong. Please report this.`,
    );
  }
  if (attack?.found) {
    return verdict(
      'attacked',
      `Not robust at ${radius}`,
      `A change of each pixel by at most ${radiusText(attack.epsilon)} turns ${prediction} into ${attack.found.prediction ?? 'no class'}.`,
    );
  }
  if (methods.length > 0) {
    return verdict(
      'verified',
      `Verified at ${radius}`,
      epsilon === 0
        ? `The prediction is ${prediction}. At ε = 0 there is nothing to change.`
        : `No change of each pixel by up to ε turns ${prediction} into another class, proved by ${methods.join(' and ')}.`,
    );
  }
  return verdict(
    'undecided',
    `Not verified at ${radius}`,
    attack !== undefined
      ? `The bounds prove nothing, and the attack found nothing: ${prediction} may or may not be robust.`
      : `The bounds prove nothing here: ${prediction} may or may not be robust. Try the attack.`,
  );
}

const MARKS = { verified: '✓', attacked: '✗', undecided: '?', invalid: '!' } as const;

const verdict = (kind: Verdict['kind'], heading: string, text: string): Verdict => ({
  ...{ kind, heading, text },
  mark: MARKS[kind],
});

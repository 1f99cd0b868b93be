import {
  CertError,
  eachFeature,
  everyFeature,
  hullOf,
  type LinfPerturbation,
  type Perturbation,
  type Shape,
} from '@cert/core';

/** The reach of each feature on the host, in multiples of the radius. */
export function hostReach(perturbation: Perturbation, shape: Shape): readonly number[] {
  if (perturbation.kind === 'l2') return eachFeature(1, shape);
  const { up, down } = hullOf(perturbation, shape);
  const below = eachFeature(down, shape);
  return eachFeature(up, shape).map((value, i) => Math.max(value, below[i]!));
}

/**
 * The set of an attack that is defined for boxes alone.
 *
 * @throws CertError `bad-argument` for a Euclidean set
 */
export function boxesOnly(perturbation: Perturbation, attack: string): LinfPerturbation {
  if (perturbation.kind === 'linf') return perturbation;
  throw new CertError(
    'bad-argument',
    `The attack ${attack} searches l-infinity sets, but the set is Euclidean (l2).`,
    "Use pgd or APGD, which search both; autoAttack({ kind: 'l2' }) has them.",
  );
}

/** Whether the set is a ball with one radius for all features. */
export const isBall = ({ up, down, categories }: LinfPerturbation): boolean =>
  categories.length === 0 && everyFeature(up, (value) => value === 1) && everyFeature(down, (value) => value === 1);

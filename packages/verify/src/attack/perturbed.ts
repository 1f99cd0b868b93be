import { eachFeature, everyFeature, hullOf, type Perturbation, type Shape } from '@cert/core';

/** The reach of each feature on the host, in multiples of the radius. */
export function hostReach(perturbation: Perturbation, shape: Shape): readonly number[] {
  if (perturbation.kind === 'l2') return eachFeature(1, shape);
  const { up, down } = hullOf(perturbation, shape);
  const below = eachFeature(down, shape);
  return eachFeature(up, shape).map((value, i) => Math.max(value, below[i]!));
}

/** Whether the set is a ball with one radius for all features. */
export const isBall = (perturbation: Perturbation): boolean => {
  if (perturbation.kind === 'l2') return true;
  const { up, down, categories } = perturbation;
  return (
    categories.length === 0 && everyFeature(up, (value) => value === 1) && everyFeature(down, (value) => value === 1)
  );
};

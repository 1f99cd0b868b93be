import type { Model } from '@cert/core';

/** Most classes that are targets; fewer where there are no more besides the label. */
export const targetsOf = ({ classes }: Model, most: number): number => Math.min(most, classes - 1);

/**
 * A class to attack towards.
 *
 * @param logits of the image without perturbation
 * @param rank 0 for the most likely class apart from the label, then the next
 */
export function targetOf(logits: ArrayLike<number>, label: number, rank: number): number {
  const others = Array.from({ length: logits.length }, (_, j) => j).filter((j) => j !== label);
  return others.sort((i, j) => logits[j]! - logits[i]! || i - j)[rank]!;
}

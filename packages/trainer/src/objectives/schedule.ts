import { type CrownIbpOptions, crownIbpObjective } from './crown-ibp.js';
import { naturalObjective } from './natural.js';
import type { Objective } from './objective.js';
import { robustObjective } from './robust.js';

/**
 * Returns the objective for a point of the ramp: `ramp` is the radius divided by the target radius, 0 in natural epochs. Must return one of
 * a few objects, the same object for the same objective, because a step is compiled for each object.
 */
export type ObjectiveSchedule = (ramp: number) => Objective;

/** The same objective during the whole training. */
export const always =
  (objective: Objective): ObjectiveSchedule =>
  () =>
    objective;

/** Natural training while the radius is 0, then the objective. */
export const naturalThen =
  (objective: Objective): ObjectiveSchedule =>
  (ramp) =>
    ramp === 0 ? naturalObjective : objective;

/** Below this share of CROWN-IBP, training is by IBP alone and saves the backward pass. */
const NEGLIGIBLE = 1e-5;

/** Natural training while the radius is 0, CROWN-IBP on the ramp, and the robust loss by IBP at the end. */
export function crownIbpSchedule(options: CrownIbpOptions = {}): ObjectiveSchedule {
  const [mixed, robust] = [crownIbpObjective(options), robustObjective(options)];
  return (ramp) => {
    if (ramp === 0) return naturalObjective;
    return 1 - ramp < NEGLIGIBLE ? robust : mixed;
  };
}

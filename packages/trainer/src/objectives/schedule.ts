import { type CrownIbpOptions, crownIbpObjective } from './crown-ibp.js';
import { naturalObjective } from './natural.js';
import type { Objective } from './objective.js';
import { robustObjective } from './robust.js';
import { SABR_ATTACK, sabrObjective, shrunkMethod } from './sabr.js';
import { type StapsOptions, stapsObjective, type TapsOptions, tapsObjective } from './taps.js';

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

/** A ramp this close to its end has ended. */
const NEGLIGIBLE = 1e-5;

/** Natural training while the radius is 0, CROWN-IBP on the ramp, and the robust loss by IBP at the end. */
export function crownIbpSchedule(options: CrownIbpOptions = {}): ObjectiveSchedule {
  return stages(crownIbpObjective(options), robustObjective(options));
}

/** Natural training while the radius is 0, interval bounds on the ramp, and TAPS at the end. */
export const tapsSchedule = (options: TapsOptions = {}): ObjectiveSchedule =>
  stages({ ...robustObjective(options), ...shrunkMethod(options) }, tapsObjective(options));

/** Natural training while the radius is 0, interval bounds over small boxes (SABR) on the ramp, and STAPS at the end. */
export const stapsSchedule = ({ boxAttack = SABR_ATTACK, ...options }: StapsOptions): ObjectiveSchedule =>
  stages(sabrObjective({ ...options, attack: boxAttack }), stapsObjective({ ...options, boxAttack }));

/** Natural training while the radius is 0, then one objective on the ramp and another at its end. */
const stages =
  (growing: Objective, reached: Objective): ObjectiveSchedule =>
  (ramp) => {
    if (ramp === 0) return naturalObjective;
    return 1 - ramp < NEGLIGIBLE ? reached : growing;
  };

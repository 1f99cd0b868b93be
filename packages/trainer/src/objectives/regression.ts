import { absoluteErrors, meanSquare, worstErrors } from '../regression.js';
import type { BoundedObjective, UnboundedObjective } from './objective.js';
import { type CertifiedOptions, withNaturalLoss } from './robust.js';
import type { ObjectiveSchedule } from './schedule.js';

/** Options of {@link squaredObjective}. */
export interface SquaredOptions {
  /** Unit of the errors, such as the standard deviation of the targets; default 1. */
  readonly scale?: number;
}

/** Natural training of a regression: the mean of ((f - y) / scale)^2. Named `squared`. */
export const squaredObjective = ({ scale = 1 }: SquaredOptions = {}): UnboundedObjective => ({
  name: 'squared',
  task: 'regression',
  bounded: false,
  weighted: true,
  loss: ({ logits, targets, weights }) => meanSquare(absoluteErrors(logits, targets!), scale, weights),
});

/**
 * Certified training of a regression: the mean of the worst squared error over the output interval [l, u] of each example,
 * max((u - y)^2, (l - y)^2) / scale^2. Named `interval`.
 */
export const intervalObjective = ({
  scale = 1,
  ...options
}: SquaredOptions & CertifiedOptions = {}): BoundedObjective =>
  withNaturalLoss(
    options,
    {
      name: 'interval',
      task: 'regression',
      bounded: true,
      weighted: true,
      loss: ({ bounds, targets, weights }) => meanSquare(worstErrors(bounds.output.lower, targets!), scale, weights),
    },
    squaredObjective({ scale }).loss,
  );

/** {@link squaredObjective} while the radius is 0, then {@link intervalObjective}. */
export function intervalSchedule(options: SquaredOptions & CertifiedOptions = {}): ObjectiveSchedule {
  const [natural, certified] = [squaredObjective(options), intervalObjective(options)];
  return (ramp) => (ramp === 0 ? natural : certified);
}

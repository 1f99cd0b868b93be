import { checkSteps, type Schedule } from './schedule.js';

/** Options of {@link piecewiseSchedule}: a base value, multiplied by `factor` after each milestone. */
export interface PiecewiseOptions {
  /** The value before the first milestone. */
  readonly base: number;
  /** Epochs, counted from 1; the epoch after a milestone is the first with the lower value. */
  readonly milestones: readonly number[];
  /** Factor applied at each milestone; default 0.2. */
  readonly factor?: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
}

/**
 * Returns a learning rate that drops in steps: with milestone 50, epoch 51 is the first with `base * factor`.
 *
 * @throws CertError `bad-argument` if `stepsPerEpoch` is not a positive whole number
 */
export function piecewiseSchedule({ base, milestones, factor = 0.2, stepsPerEpoch }: PiecewiseOptions): Schedule {
  checkSteps(stepsPerEpoch);
  return (step) => {
    const completed = Math.floor(step / stepsPerEpoch);
    return base * factor ** milestones.filter((milestone) => completed >= milestone).length;
  };
}

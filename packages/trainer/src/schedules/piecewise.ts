import { checkSteps, type Schedule } from './schedule.js';

/** What {@link piecewiseSchedule} takes: a base value that is multiplied by `factor` after each milestone. */
export interface PiecewiseOptions {
  /** The value before the first milestone. */
  readonly base: number;
  /** Epochs, counted from 1; the epoch after a milestone is the first with the lower value. */
  readonly milestones: readonly number[];
  /** What it is multiplied by; default 0.2. */
  readonly factor?: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
}

/**
 * A learning rate that drops in steps: with milestone 50, epoch 51 is the first at `base * factor`.
 *
 * @throws CertError `bad-argument` when the steps of an epoch are not a positive whole number
 */
export function piecewiseSchedule({ base, milestones, factor = 0.2, stepsPerEpoch }: PiecewiseOptions): Schedule {
  checkSteps(stepsPerEpoch);
  return (step) => {
    const completed = Math.floor(step / stepsPerEpoch);
    return base * factor ** milestones.filter((milestone) => completed >= milestone).length;
  };
}

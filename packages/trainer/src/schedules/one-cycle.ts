import { checkEpochs } from './cosine.js';
import { checkSteps, type Schedule } from './schedule.js';

/** Options of {@link oneCycleSchedule}. */
export interface OneCycleOptions {
  /** The largest value, after 30 % of the steps. */
  readonly base: number;
  /** Epochs of training. */
  readonly epochs: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
}

/** Where the largest value is, as a share of all steps. */
const PEAK = 0.3;

/** The first value is the largest one divided by this. */
const START = 25;

/** The last value is the first one divided by this. */
const END = 1e4;

/** From `from` to `to` along half a cosine; `share` goes from 0 to 1. */
const annealed = (from: number, to: number, share: number): number =>
  to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));

/**
 * Returns the learning rate of the 1cycle policy (Smith and Topin 2018) with the defaults of PyTorch's `OneCycleLR`: along half a cosine from
 * base/25 to `base` in the first 30 % of the steps, then down to base/250,000 in the last step. The momentum does not cycle.
 *
 * @throws CertError `bad-argument` if `stepsPerEpoch` or `epochs` is not a positive whole number
 */
export function oneCycleSchedule({ base, epochs, stepsPerEpoch }: OneCycleOptions): Schedule {
  checkSteps(stepsPerEpoch);
  checkEpochs(epochs);
  const last = epochs * stepsPerEpoch - 1;
  const peak = PEAK * epochs * stepsPerEpoch - 1;
  const start = base / START;
  return (step) =>
    step <= peak
      ? annealed(start, base, step / peak)
      : annealed(base, start / END, (Math.min(step, last) - peak) / (last - peak));
}

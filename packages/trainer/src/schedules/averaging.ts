import { CertError } from '@cert/core';
import { badRamp, checkSteps, type Schedule } from './schedule.js';

/** Epochs whose weights are averaged: see {@link swaSchedule} and {@link emaSchedule}. */
export interface AveragingOptions {
  /** The first epoch, from 1. */
  readonly start: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
}

/**
 * Returns stochastic weight averaging (Izmailov et al. 2018, algorithm 1) for the option `average` of `fit`: the equal average of the weights
 * at the end of each epoch from `start` on. The n-th sample has the weight 1/n; between samples the weight is 0.
 *
 * @throws CertError `bad-argument` if `start` or `stepsPerEpoch` is not a positive whole number
 */
export function swaSchedule(options: AveragingOptions): Schedule {
  const { start, stepsPerEpoch } = checkAveraging(options);
  return (step) => {
    const epochs = (step + 1) / stepsPerEpoch;
    return Number.isInteger(epochs) && epochs >= start ? 1 / (epochs - start + 1) : 0;
  };
}

/**
 * Returns an exponential moving average for the option `average` of `fit`: average' = decay * average + (1 - decay) * weights after every
 * step. The average begins as the weights after the first step of the epoch `start`.
 *
 * @param options `decay` per step, at least 0 and less than 1; default 0.999
 * @throws CertError `bad-argument` for another decay, or if `start` or `stepsPerEpoch` is not a positive whole number
 */
export function emaSchedule({ decay = 0.999, ...options }: AveragingOptions & { readonly decay?: number }): Schedule {
  const { start, stepsPerEpoch } = checkAveraging(options);
  if (!(decay >= 0 && decay < 1)) {
    throw new CertError(
      'bad-argument',
      `The decay of the exponential moving average is ${decay}.`,
      'Give a number of at least 0 and less than 1, such as 0.999.',
    );
  }
  const first = (start - 1) * stepsPerEpoch;
  return (step) => {
    if (step < first) return 0;
    return step === first ? 1 : 1 - decay;
  };
}

function checkAveraging(options: AveragingOptions): AveragingOptions {
  checkSteps(options.stepsPerEpoch);
  const { start } = options;
  if (!(Number.isInteger(start) && start > 0)) throw badRamp('start', start, 'an epoch, a whole number from 1');
  return options;
}

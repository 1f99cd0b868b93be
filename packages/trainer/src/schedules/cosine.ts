import { badRamp, checkSteps, type Schedule } from './schedule.js';

/** Options of {@link cosineSchedule}. */
export interface CosineOptions {
  /** The largest value, reached in the first step after the warm-up. */
  readonly base: number;
  /** Epochs of training; the value is 0 after the last step. */
  readonly epochs: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
  /** Epochs before the decay in which the value grows linearly to `base`, fewer than `epochs`; default 0. */
  readonly warmup?: number;
}

/**
 * Returns a learning rate that falls to 0 along half a cosine, step by step (Loshchilov and Hutter 2017, equation 5, without restarts), after
 * an optional linear warm-up. With W warm-up steps, step s < W has `base * (s + 1) / (W + 1)`.
 *
 * @throws CertError `bad-argument` if `stepsPerEpoch` or `epochs` is not a positive whole number, or the warm-up is not from 0 to below `epochs`
 */
export function cosineSchedule({ base, epochs, stepsPerEpoch, warmup = 0 }: CosineOptions): Schedule {
  checkSteps(stepsPerEpoch);
  checkEpochs(epochs);
  if (!(warmup >= 0 && warmup < epochs)) throw badRamp('warmup', warmup, 'a number of epochs >= 0, below all epochs');
  const first = Math.trunc(warmup * stepsPerEpoch);
  const decay = epochs * stepsPerEpoch - first;
  return (step) =>
    step < first
      ? (base * (step + 1)) / (first + 1)
      : (base * (1 + Math.cos((Math.PI * Math.min(step - first, decay)) / decay))) / 2;
}

/** @throws CertError `bad-argument` for a number of epochs that is not a positive whole number */
export function checkEpochs(epochs: number): void {
  if (!(Number.isInteger(epochs) && epochs > 0)) throw badRamp('epochs', epochs, 'a positive whole number');
}

import { CertError } from '@cert/core';
import { type AveragingOptions, emaSchedule, swaSchedule } from '../../schedules/averaging.js';
import type { Schedule } from '../../schedules/schedule.js';

/** What `--average` stands for. */
export const AVERAGES = {
  none: () => undefined,
  swa: swaSchedule,
  ema: emaSchedule,
} satisfies {
  readonly [name: string]: (options: AveragingOptions & { readonly decay: number }) => Schedule | undefined;
};

/** The decay of {@link emaSchedule} unless another is given. */
export const EMA_DECAY = 0.999;

/** The settings of a configuration that an average depends on. */
interface Settings {
  readonly average: keyof typeof AVERAGES;
  readonly averageStart: number | null;
  readonly emaDecay: number;
  readonly epochs: number;
  readonly rampStart: number;
  readonly rampLength: number;
}

/** The first epoch of the average: by default the first of the last quarter, but none before the full radius is reached. */
export const averageStartOf = ({ averageStart, epochs, rampStart, rampLength }: Settings): number =>
  averageStart ?? Math.min(epochs, Math.max(rampStart + rampLength, Math.floor(0.75 * epochs) + 1));

/** The weights of the samples of an average; undefined for no average. */
export const averageOf = (config: Settings, stepsPerEpoch: number): Schedule | undefined =>
  AVERAGES[config.average]({ start: averageStartOf(config), stepsPerEpoch, decay: config.emaDecay });

/** @throws CertError `bad-argument` for an average that begins after the last epoch, and for settings of an average that the run does not use */
export function checkAveraging(config: Settings): void {
  const { average, averageStart, emaDecay, epochs } = config;
  if (average === 'none' && averageStart !== null) {
    throw new CertError(
      'bad-argument',
      `--average-start is ${averageStart}, but this run has no average of its weights.`,
      'Leave it out, or choose --average swa or --average ema.',
    );
  }
  if (average !== 'ema' && emaDecay !== EMA_DECAY) {
    throw new CertError(
      'bad-argument',
      `--ema-decay is ${emaDecay}, but this run has --average ${average}.`,
      'Leave it out, or choose --average ema.',
    );
  }
  if (average !== 'none' && averageStartOf(config) > epochs) {
    throw new CertError(
      'bad-argument',
      `--average-start is ${averageStart}, but training ends after epoch ${epochs}.`,
      `Give an epoch from 1 to ${epochs}, or leave it out.`,
    );
  }
  // A decay of 1 is refused before the first step.
  averageOf(config, 1);
}

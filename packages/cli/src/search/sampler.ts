import { drawValues, newValues, rngOf } from './draw.js';
import type { Space } from './space.js';
import { isRunning, type Job, type Trial } from './trial.js';

/**
 * What comes next: a job, `wait` while it depends on jobs that are running, `done` when nothing is left to begin. It depends on the settings
 * of the search and on the trials alone, so that a search that is resumed goes on as it would have.
 */
export type Sampler = (trials: readonly Trial[]) => Job | 'wait' | 'done';

/** What every sampler needs. */
export interface SamplerOptions {
  readonly space: Space;
  /** Number of trials. */
  readonly trials: number;
  readonly seed: number;
}

/** A trial that begins with independent draws; undefined where all of the space was tried. */
export function randomTrial(
  { space, seed }: SamplerOptions,
  trials: readonly Trial[],
): Omit<Job, 'epochs'> | undefined {
  const trial = trials.length;
  const rng = rngOf(seed, trial);
  const values = newValues(space, trials, () => drawValues(space, rng));
  return values && { trial, values };
}

/** Random search (Bergstra and Bengio 2012): independent draws, each trained to the end. */
export const randomSampler =
  (options: SamplerOptions): Sampler =>
  (trials) => {
    const next = trials.length < options.trials ? randomTrial(options, trials) : undefined;
    if (next === undefined) return trials.some(isRunning) ? 'wait' : 'done';
    return { ...next, epochs: options.space.configOf(next.values).epochs };
  };

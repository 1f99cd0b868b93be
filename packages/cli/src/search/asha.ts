import { scoreOf } from './front.js';
import { randomTrial, type Sampler, type SamplerOptions } from './sampler.js';
import { isRunning, type Job, resultAt, type Trial } from './trial.js';

/** Options of {@link ashaSampler}. */
export interface AshaOptions extends SamplerOptions {
  /** Epochs at which trials are compared, ascending; the last one is the end of training. */
  readonly rungs: readonly number[];
  /** One in so many trials of a rung is promoted to the next one. */
  readonly eta: number;
  /** Weight of the standard error in the score. */
  readonly weight: number;
}

/**
 * Asynchronous successive halving (Li et al. 2020, algorithm 2) on random draws: a free worker promotes the best trial that is in the top
 * 1/eta of its rung, from the highest rung down, and begins a new one where none is. Where all have begun and none has reached the end, the
 * best of the highest rung goes on, so that a search of few trials ends with one that is trained.
 */
export const ashaSampler =
  (options: AshaOptions): Sampler =>
  (trials) => {
    const promoted = promotion(trials, options);
    if (promoted !== undefined) return promoted;
    const next = trials.length < options.trials ? randomTrial(options, trials) : undefined;
    if (next !== undefined) return { ...next, epochs: options.rungs[0]! };
    if (trials.some(isRunning)) return 'wait';
    return lastPromotion(trials, options) ?? 'done';
  };

/** The best promotable trial of the highest rung that has one. */
function promotion(trials: readonly Trial[], { rungs, eta, weight }: AshaOptions): Job | undefined {
  for (let k = rungs.length - 2; k >= 0; k--) {
    const ranked = ranking(trials, rungs[k]!, weight);
    const top = ranked.slice(0, Math.floor(ranked.length / eta));
    const next = top.find((trial) => isPromotable(trial, rungs[k]!));
    if (next !== undefined) return { trial: next.trial, values: next.values, epochs: rungs[k + 1]! };
  }
  return undefined;
}

function lastPromotion(trials: readonly Trial[], { rungs, weight }: AshaOptions): Job | undefined {
  for (let k = rungs.length - 1; k >= 0; k--) {
    const alive = ranking(trials, rungs[k]!, weight).filter(({ failed }) => failed === undefined);
    const [next] = alive;
    if (next === undefined) continue;
    return k === rungs.length - 1 ? undefined : { trial: next.trial, values: next.values, epochs: rungs[k + 1]! };
  }
  return undefined;
}

/** A trial that is at a rung, and no further. */
const isPromotable = ({ started, failed }: Trial, rung: number) => failed === undefined && started === rung;

/** The trials that have been at a rung, the best first. */
function ranking(trials: readonly Trial[], rung: number, weight: number): readonly Trial[] {
  return trials
    .flatMap((trial) => {
      const result = resultAt(trial, rung);
      return result === undefined ? [] : [{ trial, result }];
    })
    .sort(
      (a, b) =>
        scoreOf(a.result, weight) - scoreOf(b.result, weight) ||
        a.result.verifiedError - b.result.verifiedError ||
        a.trial.trial - b.trial.trial,
    )
    .map(({ trial }) => trial);
}

import { CertError } from '@cert/core';
import type { Runner } from './runner.js';
import type { Sampler } from './sampler.js';
import { type SearchFolder, trialFolder } from './search-folder.js';
import type { Space } from './space.js';
import { isRunning, type Job, type Trial } from './trial.js';

/** What a search tells. */
export type SearchEvent =
  | { readonly type: 'started'; readonly trial: number; readonly epochs: number }
  | { readonly type: 'epoch'; readonly trial: number; readonly epoch: number }
  /** A job has ended: the trial has a result more, or has failed, or was stopped. */
  | { readonly type: 'ended'; readonly trial: Trial };

/** What a search works with. */
export interface Search {
  readonly folder: SearchFolder;
  readonly space: Space;
  readonly runner: Runner;
  readonly onEvent: (event: SearchEvent) => void;
}

/** Records that a job begins, unless an earlier call of the search did. */
export async function begin({ folder }: Search, job: Job): Promise<void> {
  if (folder.trials()[job.trial]?.started !== job.epochs) await folder.append({ type: 'start', ...job });
}

/**
 * Trains a trial up to an epoch, and records what comes of it.
 *
 * @returns the trial; without a result for the job if it was stopped
 * @throws CertError of the machine
 */
export async function train({ folder, space, runner, onEvent }: Search, job: Job): Promise<Trial> {
  const { trial, values, epochs } = job;
  onEvent({ type: 'started', trial, epochs });
  const config = space.configOf(values);
  const outcome = await runner.run({ folder: trialFolder(folder.folder, trial), config, epochs }, (epoch) =>
    onEvent({ type: 'epoch', trial, epoch }),
  );
  if (outcome.type === 'failed') await folder.append({ type: 'failed', trial, problem: outcome.problem });
  if (outcome.type === 'done' && outcome.result !== null) {
    await folder.append({ type: 'result', trial, epochs, ...outcome.result });
  }
  const after = folder.trials()[trial]!;
  onEvent({ type: 'ended', trial: after });
  return after;
}

/** How many trials run at the same time, and what stops them. */
export interface Pace {
  readonly workers: number;
  readonly signal: AbortSignal;
}

/**
 * Trains what a sampler asks for, first what an earlier call of the search began.
 *
 * @throws CertError of the machine, once what is running has been stopped; the reason of the signal if it was aborted
 */
export async function runSearch(search: Search, sampler: Sampler, { workers, signal }: Pace): Promise<void> {
  const { folder, runner } = search;
  const begun = folder.trials().filter(isRunning);
  const left: Job[] = begun.map(({ trial, values, started }) => ({ trial, values, epochs: started }));
  const running = new Set<Promise<unknown>>();
  const failures: unknown[] = [];
  const stop = () => runner.stop();
  signal.addEventListener('abort', stop);
  const run = async (job: Job) => {
    try {
      await train(search, job);
    } catch (error) {
      failures.push(error);
      stop();
    }
  };
  try {
    for (;;) {
      while (running.size < workers && !signal.aborted && failures.length === 0) {
        const job = left.shift() ?? sampler(folder.trials());
        if (job === 'wait' || job === 'done') break;
        await begin(search, job);
        const done: Promise<void> = run(job).finally(() => running.delete(done));
        running.add(done);
      }
      if (running.size === 0) break;
      await Promise.race(running);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  if (failures.length > 0) throw failures[0];
  signal.throwIfAborted();
}

/** @throws CertError `not-finite` where no trial was trained to the end, with the reasons */
export function checkAny(trials: readonly Trial[], trained: number): void {
  if (trained > 0) return;
  const reasons = [...new Set(trials.flatMap(({ failed }) => failed ?? []))].slice(0, 3);
  throw new CertError(
    'not-finite',
    `No trial was trained to the end: ${trials.filter(({ failed }) => failed !== undefined).length} of ${trials.length} failed. ${reasons.join(' ')}`,
    'Narrow the space, such as the learning rate, or look at log.txt of a trial.',
  );
}

import { existsSync } from 'node:fs';
import { CertError, describeValue } from '@cert/core';
import { runFiles } from '@cert/trainer/pipeline';
import { isRecord } from '../commands/config-file.js';
import { loadQueue } from '../evaluate/load-queue.js';
import { ownVersion } from '../version.js';
import type { Outcome } from './run-trial.js';
import type { Runner } from './runner.js';
import { restoreRun, type StoredRun, storeRun } from './store-run.js';

/** What a queue carries of a job besides its run: plain JSON, names and numbers. */
interface QueuedJob {
  /** Of the `cert` that submitted it. */
  readonly version: string;
  /** The configuration of the trial. */
  readonly config: unknown;
  readonly epochs: number | null;
  /** Where the trial goes on from; null at its beginning. */
  readonly run: StoredRun | null;
}

/** Where trials meet their workers. */
export interface QueuePlace {
  readonly redis: string;
  /** A folder that all machines see. */
  readonly store: string;
  /** The ID of the search. */
  readonly search: string;
}

/**
 * Trains trials by the workers of a queue (`cert worker --trials`). The run folder of a trial comes back, its checkpoints through the store.
 *
 * @param warn told what is wrong with the server
 * @throws CertError `missing-package` without the package of the queue; `no-network` if Redis cannot be reached
 */
export async function queueRunner({ redis, store, search }: QueuePlace, warn: (text: string) => void): Promise<Runner> {
  const { openTrials } = await loadQueue();
  const trials = await openTrials(redis);
  for (const warning of trials.warnings) warn(warning);
  const stop = new AbortController();
  return {
    async run({ folder, config, epochs }, onEpoch) {
      if (stop.signal.aborted) return { type: 'stopped' };
      const id = `${search}-${folder.match(/\d+$/)?.[0] ?? ''}-${epochs ?? 'test'}`;
      const begun = existsSync(runFiles(folder).last);
      const job: QueuedJob = {
        version: ownVersion(),
        config,
        epochs,
        run: begun ? await storeRun(folder, store) : null,
      };
      try {
        const ended = await trials.run({ id, data: { ...job }, onEpoch, signal: stop.signal });
        if ('failed' in ended) return { type: 'failed', problem: ended.failed };
        const { outcome, run } = isRecord(ended.result) ? ended.result : {};
        const checked = checkedOutcome(outcome, epochs);
        if (checked.type === 'done') await restoreRun(folder, run, store);
        await trials.remove(id);
        return checked;
      } catch (error) {
        if (stop.signal.aborted && error === stop.signal.reason) return { type: 'stopped' };
        throw error;
      }
    },
    stop: () => stop.abort(),
    close: () => trials.close(),
  };
}

/** What a worker says, if it says what one may. @throws CertError `bad-data` */
function checkedOutcome(outcome: unknown, epochs: number | null): Outcome {
  const { type, problem, result } = isRecord(outcome) ? outcome : {};
  if (type === 'failed' && typeof problem === 'string') return { type, problem };
  if (type === 'done' && epochs === null && result === null) return { type, result: null };
  const { standardError, verifiedError, trainSeconds } = isRecord(result) ? result : {};
  const share = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;
  if (type === 'done' && epochs !== null && share(standardError) && share(verifiedError)) {
    return { type, result: { standardError, verifiedError, trainSeconds: Number(trainSeconds) || 0 } };
  }
  throw new CertError(
    'bad-data',
    `The result of a trial in the queue is ${describeValue(outcome)}.`,
    'Check who can write to the Redis server, and run the same command again.',
  );
}

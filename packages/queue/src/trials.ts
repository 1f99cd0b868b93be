import { hostname } from 'node:os';
import { type Job, Queue, QueueEvents, WaitingError, Worker } from 'bullmq';
import { callRedis, openRedis, PREFIX } from './redis.js';

/** The queue of the trials of searches. */
const TRIALS = 'trials';

/** Plain JSON, which whoever takes it checks. */
export type TrialData = { readonly [name: string]: unknown };

/** A job that trains a trial. */
export interface QueuedTrial {
  /** The same for the same job, so that a search that is continued finds what it submitted: letters, digits and hyphens. */
  readonly id: string;
  /** What a worker needs: names and numbers. */
  readonly data: TrialData;
  /** Called with the epochs that the worker has done. */
  readonly onEpoch?: (epoch: number) => void;
  /** Ends the wait; the job stays in the queue. */
  readonly signal: AbortSignal;
}

/** The submitting side of the trials of a search. */
export interface TrialQueue {
  /** What is wrong with the settings of the server, one sentence each. */
  readonly warnings: readonly string[];
  /**
   * Puts a job into the queue, unless it is there, and waits for its result.
   *
   * @returns what the worker returned, which is not trusted; an error as `failed` where every attempt ended with one
   * @throws CertError `no-network` if Redis cannot be reached; the reason of the signal
   */
  run(trial: QueuedTrial): Promise<{ readonly result: unknown } | { readonly failed: string }>;
  /** Removes a job whose result is no longer needed. */
  remove(id: string): Promise<void>;
  /** Closes the connections. */
  close(): Promise<void>;
}

/** Times that a job is tried whose worker reports an error. */
const ATTEMPTS = 3;

/**
 * Connects to the queue of trials.
 *
 * @throws CertError `no-network` if Redis cannot be reached, `bad-argument` for a wrong password
 */
export async function openTrials(url: string): Promise<TrialQueue> {
  const redis = await openRedis(url);
  const queue = new Queue<TrialData, unknown>(TRIALS, {
    connection: { ...redis.options, maxRetriesPerRequest: 5 },
    prefix: PREFIX,
  });
  const events = new QueueEvents(TRIALS, {
    connection: { ...redis.options, maxRetriesPerRequest: null },
    prefix: PREFIX,
  });
  queue.on('error', () => {});
  events.on('error', () => {});
  await callRedis(redis, () => events.waitUntilReady());
  return {
    warnings: redis.warnings,
    run: ({ id, data, onEpoch, signal }) =>
      callRedis(redis, async () => {
        const before = await queue.getJob(id);
        if (before !== undefined && (await before.getState()) === 'failed') await before.remove();
        const job = await queue.add('trial', data, {
          ...{ jobId: id, attempts: ATTEMPTS, backoff: { type: 'exponential', delay: 1000 }, stackTraceLimit: 1 },
        });
        const onProgress = (event: { readonly jobId: string; readonly data: unknown }) => {
          if (event.jobId === id && typeof event.data === 'number') onEpoch?.(event.data);
        };
        events.on('progress', onProgress);
        try {
          return await unlessAborted(outcomeOf(job, events), signal);
        } finally {
          events.off('progress', onProgress);
        }
      }),
    async remove(id) {
      await callRedis(redis, async () => (await queue.getJob(id))?.remove());
    },
    async close() {
      await Promise.allSettled([queue.close(), events.close()]);
    },
  };
}

async function outcomeOf(job: Job<TrialData, unknown>, events: QueueEvents) {
  try {
    return { result: await job.waitUntilFinished(events) };
  } catch (error) {
    if ((await job.getState()) !== 'failed') throw error;
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

/** Rejects with the reason of the signal once it is aborted; then `work` goes on alone. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', abort);
    work.catch(() => {});
  }
}

/** Options of {@link workOnTrials}. */
export interface TrialWorkerOptions {
  /** `redis://HOST:PORT`, or `rediss://USER:PASSWORD@HOST:PORT` with TLS. */
  readonly redis: string;
  /** Jobs at the same time; default 1. */
  readonly concurrency?: number;
  /** Seconds after which the job of a worker that is gone is given to another one; default 60. */
  readonly lockSeconds?: number;
  /**
   * Trains a trial; `stopped` if the signal stopped it, and the job goes back to the queue. An error ends the worker, as it would end every
   * other job; the job goes back too.
   */
  readonly train: (data: TrialData, hooks: TrialHooks) => Promise<{ readonly result: unknown } | 'stopped'>;
  /** Called with what happens, for people. */
  readonly onEvent?: (text: string) => void;
}

/** What a worker gets beside a job. */
export interface TrialHooks {
  /** Tells the submitting side that an epoch is done. */
  readonly onEpoch: (epoch: number) => void;
  /** Aborted when the worker stops. */
  readonly signal: AbortSignal;
}

/**
 * Trains trials until the signal is aborted.
 *
 * @throws CertError `no-network` if Redis cannot be reached at the start; what `train` throws
 */
export async function workOnTrials(options: TrialWorkerOptions, signal: AbortSignal): Promise<void> {
  const { concurrency = 1, lockSeconds = 60, train, onEvent } = options;
  const redis = await openRedis(options.redis);
  const stopping = new AbortController();
  const failures: unknown[] = [];
  async function take(job: Job<TrialData, unknown>, token?: string): Promise<unknown> {
    onEvent?.(`${job.id} begins`);
    const onEpoch = (epoch: number) => void job.updateProgress(epoch).catch(() => {});
    try {
      const outcome = await train(job.data, { onEpoch, signal: stopping.signal });
      if (outcome !== 'stopped') return outcome.result;
    } catch (error) {
      failures.push(error);
      stopping.abort();
    }
    await job.moveToWait(token);
    throw new WaitingError();
  }
  const worker = new Worker<TrialData, unknown>(TRIALS, take, {
    connection: { ...redis.options, maxRetriesPerRequest: null },
    ...{ prefix: PREFIX, concurrency, name: `${hostname()}-${process.pid}` },
    ...{ lockDuration: 1000 * lockSeconds, stalledInterval: 500 * lockSeconds, maxStalledCount: ATTEMPTS },
  });
  worker.on('completed', (job) => onEvent?.(`${job.id} done`));
  worker.on('error', () => {});
  const stop = () => stopping.abort();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    await new Promise<void>((resolve) => {
      if (stopping.signal.aborted) resolve();
      stopping.signal.addEventListener('abort', () => resolve());
    });
    // Jobs under way go back to the queue first.
    await worker.close();
  } finally {
    signal.removeEventListener('abort', stop);
  }
  if (failures.length > 0) throw failures[0];
  signal.throwIfAborted();
}

import { hostname } from 'node:os';
import { CertError } from '@cert/core';
import { type Job, Queue, WaitingError, Worker } from 'bullmq';
import { createBench, type Opened } from './bench.js';
import { closeOrLeave } from './close-or-leave.js';
import { KINDS } from './kinds.js';
import type { Openers } from './openers.js';
import { openRedis, PREFIX } from './redis.js';
import { openStore } from './store.js';
import {
  JOBS,
  type JobData,
  type JobResult,
  jobNumber,
  type PartData,
  readPart,
  SUBMISSIONS,
  submissionOf,
} from './work.js';
import type { WorkerEvent } from './worker-events.js';

/** Options of {@link createWorker}. */
export interface WorkerOptions {
  /** `redis://HOST:PORT`, or `rediss://USER:PASSWORD@HOST:PORT` with TLS. */
  readonly redis: string;
  /** The store of files, as `openStore` takes it. */
  readonly store: string;
  /**
   * Prepares work of each kind: looks up what it names and checks that it comes to its settings. An error ends the worker, as it would end
   * every other job of the submission; the job goes back to the queue, and no attempt is counted. So does an error of `fetch`.
   */
  readonly open: Openers;
  /** Jobs at the same time, each with an evaluator; default 1. */
  readonly concurrency?: number;
  /** Seconds after which the job of a worker that is gone, or too busy to answer, is given to another one; default 60. */
  readonly lockSeconds?: number;
  /** Times that a job is begun again after its worker vanished, before it fails as one that kills its workers; default 5. */
  readonly stalls?: number;
  /** Called when something happens. */
  readonly onEvent?: (event: WorkerEvent) => void;
}

/** A worker. */
export interface QueueWorker {
  /** Resolves when the worker has stopped. @throws CertError when it cannot go on: a checkpoint that is missing or has another hash, a name that it does not know */
  readonly ended: Promise<void>;
  /** Takes no more jobs and returns those under way to the queue, for other workers. */
  stop(): Promise<void>;
}

/** Minutes whose numbers of jobs the server keeps for `queueStatus`. */
const METRICS = 60;

/**
 * Starts a worker, which evaluates jobs until it is stopped. While Redis cannot be reached it waits.
 *
 * @throws CertError `no-network` if Redis cannot be reached at the start, `bad-argument` for a wrong password, and as `openStore`
 */
export async function createWorker(options: WorkerOptions): Promise<QueueWorker> {
  const { concurrency = 1, lockSeconds = 60, stalls = 5, onEvent } = options;
  const store = await openStore(options.store);
  const redis = await openRedis(options.redis);
  const connection = { ...redis.options, maxRetriesPerRequest: null };
  const submissions = new Queue<PartData>(SUBMISSIONS, { connection, prefix: PREFIX });
  const stopping = new AbortController();
  const bench = createBench(store, options.open);
  let failure: unknown;

  /** A part does not change: the last one is kept. */
  let last: { readonly id: string; readonly part: ReturnType<typeof readPart> } | undefined;
  async function partOf({ parent }: Job): Promise<ReturnType<typeof readPart>> {
    const id = parent?.id ?? '';
    if (last?.id === id) return last.part;
    const found = await submissions.getJob(id);
    if (found === undefined) throw new Error('The submission of this job is not in the queue.');
    const part = readPart(found.data);
    KINDS[part.kind].read(part.work);
    last = { id, part };
    return part;
  }

  async function take(job: Job<JobData, JobResult>, token?: string): Promise<JobResult> {
    const [id, number] = [submissionOf(job.id ?? ''), jobNumber(job.id ?? '')];
    const began = performance.now();
    const part = await partOf(job).catch((error: unknown) => {
      // Another version wrote it, whose workers can do it.
      if (error instanceof CertError && error.code === 'bad-argument') return leave(job, token, error);
      throw error;
    });
    const items = itemsIn(job.data, part);
    onEvent?.({ type: 'started', id, job: number, items: items.length });
    let opened: Opened;
    try {
      opened = await bench.take(job.parent?.id ?? '', part);
    } catch (error) {
      return leave(job, token, error);
    }
    const work = opened.evaluator.evaluate(items, stopping.signal).then(
      (result) => {
        bench.put(opened);
        return result;
      },
      (error: unknown) => {
        // A device may be lost: the next job opens it again.
        bench.discard(opened);
        throw error;
      },
    );
    // A step may take longer than a machine waits that is about to be switched off.
    const result = await unlessAborted(work, stopping.signal).catch((error: unknown) => {
      if (bench.lacking() !== undefined) return leave(job, token, bench.lacking());
      throw error;
    });
    if (result === 'aborted') return giveBack(job, token);
    if (!result.lines.every((line) => opened.itemOf(line) !== undefined)) {
      throw new Error('A result contradicts itself or the settings.');
    }
    return { ...result, seconds: (performance.now() - began) / 1000 };
  }

  /** Ends the worker, which cannot do this job or others of its submission. */
  function leave(job: Job<JobData, JobResult>, token: string | undefined, error: unknown): Promise<never> {
    failure ??= error;
    void stop();
    return giveBack(job, token);
  }

  const worker = new Worker<JobData, JobResult>(JOBS, take, {
    ...{ connection, prefix: PREFIX, concurrency, name: `${hostname()}-${process.pid}` },
    ...{ lockDuration: 1000 * lockSeconds, stalledInterval: 500 * lockSeconds, maxStalledCount: stalls },
    // Between two attempts to reach a server that is gone.
    runRetryDelay: 1000 * Math.min(lockSeconds, 15),
    metrics: { maxDataPoints: METRICS },
  });
  let ending: Promise<void> | undefined;
  let end: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const ended = new Promise<void>((resolve, reject) => {
    [end, fail] = [resolve, reject];
  });
  ended.catch(() => {});
  /** First no more jobs are taken, so that none that is given back comes again. */
  function stop(): Promise<void> {
    ending ??= (async () => {
      const closed = closeOrLeave(worker);
      stopping.abort(new Error('The worker is stopping.'));
      await closed;
      await bench.dispose();
      await closeOrLeave(submissions);
      if (failure === undefined) end();
      else fail(failure);
    })();
    return ending;
  }

  worker.on('completed', (job, { seconds }) => {
    onEvent?.({ type: 'done', id: submissionOf(job.id ?? ''), job: jobNumber(job.id ?? ''), seconds });
  });
  worker.on('failed', (job, error) => {
    const key = job?.id ?? '';
    onEvent?.({ type: 'failed', id: submissionOf(key), job: jobNumber(key), reason: error.message });
  });
  let told = '';
  /** A lost job is told once: its lock, its result and its error are refused one after the other. */
  const lost = new Set<string>();
  worker.on('error', ({ message }) => {
    const [, key] = /^(?:Missing (?:lock|key)|could not renew lock) for job (\S+?)\.?(?: |$)/.exec(message) ?? [];
    if (key === undefined) {
      if (told !== message) onEvent?.({ type: 'disconnected', reason: message });
      told = message;
    } else if (!lost.has(key)) {
      lost.add(key);
      onEvent?.({ type: 'lost', id: submissionOf(key), job: jobNumber(key) });
    }
  });
  worker.on('active', ({ id = '' }) => void lost.delete(id));
  worker.on('ready', () => {
    told = '';
  });
  submissions.on('error', () => {});
  return { ended, stop };
}

/** What `work` resolves to; `aborted` as soon as the signal is, and then `work` goes on alone. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | 'aborted'> {
  let told = () => {};
  const aborted = new Promise<'aborted'>((resolve) => {
    told = () => resolve('aborted');
  });
  if (signal.aborted) told();
  signal.addEventListener('abort', told);
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', told);
    work.catch(() => {});
  }
}

/** Returns a job to the queue: the attempt does not count. */
async function giveBack(job: Job<JobData, JobResult>, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

/** The items of a job. @throws CertError `bad-data` for items that the submission does not have */
function itemsIn(data: unknown, { kind, count }: Pick<PartData, 'kind' | 'count'>): readonly number[] {
  const { items } = (data ?? {}) as { readonly items?: unknown };
  const fits = (item: unknown): item is number =>
    Number.isSafeInteger(item) && Number(item) >= 0 && Number(item) < count;
  if (Array.isArray(items) && items.length > 0 && items.every(fits)) return items;
  throw new CertError(
    'bad-data',
    `The job names ${KINDS[kind].items} that the submission does not have.`,
    'Remove the submission with cert queue remove, and submit it again.',
  );
}

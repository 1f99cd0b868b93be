import { hostname } from 'node:os';
import { CertError } from '@cert/core';
import { isResultOf } from '@cert/verify/node';
import { type Job, Queue, WaitingError, Worker } from 'bullmq';
import {
  EVALUATIONS,
  evaluationOf,
  JOBS,
  type JobData,
  type JobResult,
  jobNumber,
  type PartData,
  type QueuedEvaluation,
} from './evaluation.js';
import { openRedis, PREFIX } from './redis.js';
import { fetchCheckpoint } from './store.js';

/** What evaluates the images of one evaluation, one job at a time. */
export interface JobEvaluator {
  /** Evaluates images; rejects with the signal's reason when it is aborted. */
  evaluate(images: readonly number[], signal: AbortSignal): Promise<Omit<JobResult, 'seconds'>>;
  /** Frees what it holds. */
  dispose(): Promise<void>;
}

/** Options of {@link createWorker}. */
export interface WorkerOptions {
  /** `redis://HOST:PORT`, or `rediss://USER:PASSWORD@HOST:PORT` with TLS. */
  readonly redis: string;
  /** The store of checkpoints: a folder, or a URL. */
  readonly store: string;
  /**
   * Prepares an evaluation: looks up what `setup` names and checks that it comes to the `settings`. An error ends the worker, as it would
   * end every other job of the evaluation; the job goes back to the queue, and no attempt is counted.
   *
   * @param checkpoint the bytes of the network's file, whose hash is that of the settings
   */
  readonly open: (evaluation: QueuedEvaluation, checkpoint: Uint8Array) => Promise<JobEvaluator>;
  /** Jobs at the same time, each with an evaluator; default 1. */
  readonly concurrency?: number;
  /** Seconds after which the job of a worker that is gone, or too busy to answer, is given to another one; default 60. */
  readonly lockSeconds?: number;
  /** Times that a job is begun again after its worker vanished, before it fails as one that kills its workers; default 5. */
  readonly stalls?: number;
  /** Called when something happens. */
  readonly onEvent?: (event: WorkerEvent) => void;
}

/** What a worker tells. */
export type WorkerEvent = JobStarted | JobDone | JobFailed | Disconnected;

/** The job of an event. */
export interface JobOfEvent {
  /** ID of the evaluation. */
  readonly id: string;
  /** Number of the job in the evaluation, from 0. */
  readonly job: number;
}

/** A job begins. */
export interface JobStarted extends JobOfEvent {
  /** Kind of the event. */
  readonly type: 'started';
  /** Number of images. */
  readonly images: number;
}

/** The result of a job is in the queue. */
export interface JobDone extends JobOfEvent {
  /** Kind of the event. */
  readonly type: 'done';
  /** Seconds that it took. */
  readonly seconds: number;
}

/** An attempt failed. */
export interface JobFailed extends JobOfEvent {
  /** Kind of the event. */
  readonly type: 'failed';
  /** The message of the error. */
  readonly reason: string;
}

/** Redis does not answer; the worker waits for it. */
export interface Disconnected {
  /** Kind of the event. */
  readonly type: 'disconnected';
  /** The message of the error. */
  readonly reason: string;
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
 * @throws CertError `no-network` if Redis cannot be reached at the start, `bad-argument` for a wrong password
 */
export async function createWorker(options: WorkerOptions): Promise<QueueWorker> {
  const { concurrency = 1, lockSeconds = 60, stalls = 5, onEvent } = options;
  const redis = await openRedis(options.redis);
  const connection = { ...redis.options, maxRetriesPerRequest: null };
  const evaluations = new Queue<PartData>(EVALUATIONS, { connection, prefix: PREFIX });
  const stopping = new AbortController();
  const bench = createBench(options);
  let failure: unknown;

  /** The evaluations do not change: the last one is kept. */
  let last: { readonly id: string; readonly evaluation: QueuedEvaluation } | undefined;
  async function evaluationOfJob({ id = '', parent }: Job): Promise<QueuedEvaluation> {
    if (last?.id === evaluationOf(id)) return last.evaluation;
    const part = await evaluations.getJob(parent?.id ?? '');
    if (part === undefined) throw new Error('The evaluation of this job is not in the queue.');
    const { evaluation } = part.data;
    last = { id: evaluationOf(id), evaluation };
    return evaluation;
  }

  async function take(job: Job<JobData, JobResult>, token?: string): Promise<JobResult> {
    const [id, number] = [evaluationOf(job.id ?? ''), jobNumber(job.id ?? '')];
    const { images } = job.data;
    onEvent?.({ type: 'started', id, job: number, images: images.length });
    const began = performance.now();
    const evaluation = await evaluationOfJob(job);
    checkImages(images, evaluation);
    let evaluator: JobEvaluator;
    try {
      evaluator = await bench.take(id, evaluation);
    } catch (error) {
      failure ??= error;
      void stop();
      return giveBack(job, token);
    }
    const work = evaluator.evaluate(images, stopping.signal).finally(() => bench.put(id, evaluator));
    // A step may take longer than a machine waits that is about to be switched off.
    const result = await unlessAborted(work, stopping.signal);
    if (result === 'aborted') return giveBack(job, token);
    const isResult = (line: unknown) => isResultOf(line, evaluation.settings);
    if (!result.lines.every(isResult)) throw new Error('A result contradicts itself or the settings.');
    return { ...result, seconds: (performance.now() - began) / 1000 };
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
      await closeOrLeave(evaluations);
      if (failure === undefined) end();
      else fail(failure);
    })();
    return ending;
  }

  worker.on('completed', (job, { seconds }) => {
    onEvent?.({ type: 'done', id: evaluationOf(job.id ?? ''), job: jobNumber(job.id ?? ''), seconds });
  });
  worker.on('failed', (job, error) => {
    const key = job?.id ?? '';
    onEvent?.({ type: 'failed', id: evaluationOf(key), job: jobNumber(key), reason: error.message });
  });
  let told = '';
  const disconnected = (error: Error) => {
    if (told !== error.message) onEvent?.({ type: 'disconnected', reason: error.message });
    told = error.message;
  };
  worker.on('error', disconnected);
  worker.on('ready', () => {
    told = '';
  });
  evaluations.on('error', () => {});
  return { ended, stop };
}

/** Milliseconds that a server has to take leave of a worker that ends. */
const PATIENCE = 5000;

/** Closes a queue; where the server does not answer, leaves it: its jobs go to other workers when their locks end. */
async function closeOrLeave(queue: Pick<Queue, 'close' | 'disconnect'>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      queue.disconnect().catch(() => {});
      resolve();
    }, PATIENCE);
  });
  await Promise.race([queue.close().catch(() => {}), late]);
  clearTimeout(timer);
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

/** @throws Error for images that the evaluation does not have */
function checkImages(images: readonly number[], evaluation: QueuedEvaluation): void {
  const fits = (index: unknown) =>
    Number.isSafeInteger(index) && Number(index) >= 0 && Number(index) < evaluation.images;
  if (!Array.isArray(images) || images.length === 0 || !images.every(fits)) {
    throw new CertError(
      'bad-data',
      'The job names images that the evaluation does not have.',
      'Remove the evaluation with cert queue remove, and submit it again.',
    );
  }
}

/** Evaluators that wait for the next job of their evaluation. */
interface Bench {
  take(id: string, evaluation: QueuedEvaluation): Promise<JobEvaluator>;
  put(id: string, evaluator: JobEvaluator): void;
  dispose(): Promise<void>;
}

/** Keeps the evaluators of one evaluation, the last one: each holds a network and its compiled functions. */
function createBench({ store, open }: WorkerOptions): Bench {
  let idle: { readonly id: string; readonly evaluator: JobEvaluator }[] = [];
  let fetched: { readonly checkpoint: string; readonly bytes: Promise<Uint8Array> } | undefined;
  let closed = false;
  const leaving = new Set<Promise<void>>();
  const leave = (evaluator: JobEvaluator) => {
    const left = evaluator.dispose().finally(() => leaving.delete(left));
    leaving.add(left);
  };
  return {
    async take(id, evaluation) {
      const own = idle.find((one) => one.id === id);
      const others = idle.filter((one) => one.id !== id);
      idle = idle.filter((one) => one.id === id && one !== own);
      for (const { evaluator } of others) leave(evaluator);
      if (own !== undefined) return own.evaluator;
      const { checkpoint } = evaluation.settings;
      if (fetched?.checkpoint !== checkpoint) fetched = { checkpoint, bytes: fetchCheckpoint(store, checkpoint) };
      return open(evaluation, await fetched.bytes);
    },
    put(id, evaluator) {
      if (closed) leave(evaluator);
      else idle.push({ id, evaluator });
    },
    async dispose() {
      closed = true;
      for (const { evaluator } of idle.splice(0)) leave(evaluator);
      await Promise.allSettled(leaving);
    },
  };
}

import { CertError } from '@cert/core';
import { FlowProducer } from 'bullmq';
import type { QueuedEvaluation } from './evaluation.js';
import { KINDS, type KindName, type Works } from './kinds.js';
import { partsOf, type Queues, withQueues } from './queues.js';
import { PREFIX } from './redis.js';
import { openStore } from './store.js';
import { idOf, itemsOfJobs, JOBS, jobId, type PartData, planOf, SUBMISSIONS } from './work.js';

/** Options of {@link submitWork}. */
export interface SubmitOptions<K extends KindName> {
  /** `redis://HOST:PORT`, or `rediss://USER:PASSWORD@HOST:PORT` with TLS. */
  readonly redis: string;
  /** The kind of work. */
  readonly kind: K;
  /** What is computed. */
  readonly work: Works[K];
  /** Puts the files that the work names into the store; called when the server has answered. */
  readonly upload: () => Promise<void>;
  /** Items in a job. */
  readonly jobsOf: number;
  /** Called when more jobs are in the queue. */
  readonly onProgress?: (jobs: number, of: number) => void;
}

/** What {@link submitWork} did. */
export interface Submitted {
  /** By which status and results are asked for. */
  readonly id: string;
  /** Number of jobs. */
  readonly jobs: number;
  /** Jobs that an earlier submission had put into the queue. */
  readonly before: number;
  /** Of these, those that had failed and are tried again. */
  readonly retried: number;
  /** What is wrong with the settings of the server, one sentence each. */
  readonly warnings: readonly string[];
}

/** Times that a job is tried that ends with an error. */
const ATTEMPTS = 3;

/**
 * Puts work into the queue. The same work has the same ID: to submit it again adds the jobs that are missing, when the first submission was
 * interrupted, and tries those again that have failed.
 *
 * @throws CertError `bad-argument` for no items, `no-network` if Redis cannot be reached
 */
export async function submitWork<K extends KindName>(options: SubmitOptions<K>): Promise<Submitted> {
  const { kind, work, jobsOf, onProgress } = options;
  const { count: countOf, cut, items } = KINDS[kind];
  const count = countOf(work);
  if (!(Number.isSafeInteger(jobsOf) && jobsOf >= 1 && count >= 1)) {
    throw new CertError(
      'bad-argument',
      `${count} ${items} in jobs of ${jobsOf} were given.`,
      `Give ${items}, and a whole number of ${items} per job from 1.`,
    );
  }
  const id = idOf(kind, work, jobsOf);
  const plan = planOf(id, { count, jobsOf });
  const jobs = itemsOfJobs({ kind, count, jobsOf });
  return withQueues(options.redis, async (queues) => {
    await options.upload();
    const flows = new FlowProducer({
      connection: { ...queues.redis.options, maxRetriesPerRequest: 5 },
      prefix: PREFIX,
    });
    flows.on('error', () => {});
    try {
      const submitted = Date.now();
      let before = 0;
      for (const { id: part, from, to } of plan.parts) {
        // A part is there as a whole, or not at all.
        if ((await queues.submissions.getJob(part)) === undefined) {
          const own = jobs.slice(from, to);
          const data: PartData<K> = { kind, work: cut(work, own.flat()), count, jobsOf, submitted };
          await flows.add({
            ...{ name: 'part', queueName: SUBMISSIONS, data, opts: { jobId: part } },
            children: own.map((ofJob, i) => ({
              ...{ name: kind, queueName: JOBS, data: { items: ofJob } },
              opts: {
                jobId: jobId(id, from + i),
                attempts: ATTEMPTS,
                backoff: { type: 'exponential', delay: 1000 },
                // The result goes to the part.
                removeOnComplete: true,
                ignoreDependencyOnFailure: true,
                stackTraceLimit: 1,
              },
            })),
          });
        } else before += to - from;
        onProgress?.(to, plan.jobs);
      }
      const retried = before === 0 ? 0 : await retryFailed(queues, id);
      return { id, jobs: plan.jobs, before, retried, warnings: queues.redis.warnings };
    } finally {
      await flows.close().catch(() => {});
    }
  });
}

/** Options of {@link submitEvaluation}. */
export interface SubmitEvaluationOptions extends Omit<SubmitOptions<'evaluation'>, 'kind' | 'work' | 'upload'> {
  /** Where workers find the checkpoint, as `openStore` takes it. */
  readonly store: string;
  /** What is evaluated. */
  readonly evaluation: QueuedEvaluation;
  /** The bytes of the checkpoint. */
  readonly checkpoint: Uint8Array;
}

/**
 * Puts an evaluation into the queue, and its checkpoint into the store.
 *
 * @throws CertError `bad-argument` for a checkpoint with another hash than the settings say, and as {@link submitWork} and `openStore`
 */
export async function submitEvaluation(options: SubmitEvaluationOptions): Promise<Submitted> {
  const { store, evaluation, checkpoint, ...others } = options;
  const upload = async () => {
    const hash = await (await openStore(store)).put(checkpoint);
    if (hash === evaluation.settings.checkpoint) return;
    throw new CertError(
      'bad-argument',
      `The checkpoint has the hash ${hash}, but the settings name ${evaluation.settings.checkpoint}.`,
      'Give the bytes that settings.checkpoint is the SHA-256 of.',
    );
  };
  return submitWork({ ...others, kind: 'evaluation', work: evaluation, upload });
}

/** Puts the failed jobs of a submission into the queue again. @returns how many */
async function retryFailed(queues: Queues, id: string): Promise<number> {
  let retried = 0;
  for (const part of await partsOf(queues, id)) {
    for (const key of Object.keys(await part.getIgnoredChildrenFailures())) {
      const job = await queues.jobs.getJob(key.slice(key.lastIndexOf(':') + 1));
      if (job === undefined || (await job.getState()) !== 'failed') continue;
      await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      retried++;
    }
  }
  return retried;
}

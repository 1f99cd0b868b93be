import { CertError } from '@cert/core';
import { FlowProducer, type JobsOptions } from 'bullmq';
import { closeOrLeave } from './close-or-leave.js';
import type { QueuedEvaluation } from './evaluation.js';
import { KINDS, type KindName, type Works } from './kinds.js';
import { type Part, partsOf, type Queues, withQueues } from './queues.js';
import { impatient, PREFIX } from './redis.js';
import { jobsOfPart } from './results.js';
import { openStore } from './store.js';
import { idOf, itemsOfJobs, JOBS, type JobData, jobId, jobNumber, type PartData, planOf, SUBMISSIONS } from './work.js';

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

/** Of every job. */
const OPTIONS = {
  /** Times that it is tried if it ends with an error. */
  attempts: 3,
  backoff: { type: 'exponential', delay: 1000 },
  // The result goes to the part.
  removeOnComplete: true,
  ignoreDependencyOnFailure: true,
  stackTraceLimit: 1,
} as const;

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
      connection: impatient(queues.redis),
      prefix: PREFIX,
    });
    flows.on('error', () => {});
    try {
      const submitted = Date.now();
      let before = 0;
      for (const { id: part, from, to } of plan.parts) {
        const own = jobs.slice(from, to).map((ofJob, i) => ({
          ...{ name: kind, queueName: JOBS, data: { items: ofJob } },
          opts: { ...OPTIONS, jobId: jobId(id, from + i) },
        }));
        const found = await queues.submissions.getJob(part);
        if (found === undefined) {
          const data: PartData<K> = { kind, work: cut(work, jobs.slice(from, to).flat()), count, jobsOf, submitted };
          await flows.add({ name: 'part', queueName: SUBMISSIONS, data, opts: { jobId: part }, children: own });
        } else before += own.length - (await addMissing(queues, found, own));
        onProgress?.(to, plan.jobs);
      }
      const retried = before === 0 ? 0 : await retryFailed(queues, id);
      return { id, jobs: plan.jobs, before, retried, warnings: queues.redis.warnings };
    } finally {
      await closeOrLeave(flows);
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

/**
 * Adds the jobs of a part that are not there: a removal was interrupted, or the server lost them.
 *
 * @returns how many
 */
async function addMissing(
  { jobs }: Queues,
  part: Part,
  own: readonly {
    readonly name: string;
    readonly data: JobData;
    readonly opts: JobsOptions & { readonly jobId: string };
  }[],
): Promise<number> {
  const { processed = 0, unprocessed = 0, ignored = 0 } = await part.getDependenciesCount();
  if (processed + unprocessed + ignored >= own.length) return 0;
  const known = await jobsOfPart(part);
  const missing = own.filter(({ opts }) => !known.has(jobNumber(opts.jobId)));
  const parent = { id: part.id ?? '', queue: part.queueQualifiedName };
  await jobs.addBulk(missing.map(({ name, data, opts }) => ({ name, data, opts: { ...opts, parent } })));
  return missing.length;
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

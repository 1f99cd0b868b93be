import { CertError } from '@cert/core';
import { FlowProducer } from 'bullmq';
import { EVALUATIONS, imagesOfJobs, JOBS, jobId, type PartData, planOf, type QueuedEvaluation } from './evaluation.js';
import { partsOf, type Queues, withQueues } from './queues.js';
import { PREFIX } from './redis.js';
import { storeCheckpoint } from './store.js';

/** Options of {@link submitEvaluation}. */
export interface SubmitOptions {
  /** `redis://HOST:PORT`, or `rediss://USER:PASSWORD@HOST:PORT` with TLS. */
  readonly redis: string;
  /** Where workers find the checkpoint: a folder that all machines see, or a URL under which it already is. */
  readonly store: string;
  /** What is evaluated. */
  readonly evaluation: QueuedEvaluation;
  /** The bytes of the checkpoint. */
  readonly checkpoint: Uint8Array;
  /** Images in a job. */
  readonly jobsOf: number;
  /** Called when more jobs are in the queue. */
  readonly onProgress?: (jobs: number, of: number) => void;
}

/** What {@link submitEvaluation} did. */
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

/** Times that a job is tried whose evaluation ends with an error. */
const ATTEMPTS = 3;

/**
 * Puts an evaluation into the queue. The same evaluation has the same ID: to submit it again adds the jobs that are missing, when the
 * first submission was interrupted, and tries those again that have failed.
 *
 * @throws CertError `bad-argument` for no images and a checkpoint with another hash than the settings say, `no-network` if Redis cannot be
 * reached, and as `storeCheckpoint`
 */
export async function submitEvaluation(options: SubmitOptions): Promise<Submitted> {
  const { evaluation, jobsOf, onProgress } = options;
  if (!(Number.isSafeInteger(jobsOf) && jobsOf >= 1 && evaluation.images >= 1)) {
    throw new CertError(
      'bad-argument',
      `An evaluation of ${evaluation.images} images in jobs of ${jobsOf} was given.`,
      'Give at least one image, and a whole number of images per job from 1.',
    );
  }
  const plan = planOf({ evaluation, jobsOf });
  const jobs = imagesOfJobs({ evaluation, jobsOf });
  return withQueues(options.redis, async (queues) => {
    const hash = await storeCheckpoint(options.store, options.checkpoint);
    if (hash !== evaluation.settings.checkpoint) {
      throw new CertError(
        'bad-argument',
        `The checkpoint has the hash ${hash}, but the settings name ${evaluation.settings.checkpoint}.`,
        'Give the bytes that settings.checkpoint is the SHA-256 of.',
      );
    }
    const flows = new FlowProducer({
      connection: { ...queues.redis.options, maxRetriesPerRequest: 5 },
      prefix: PREFIX,
    });
    flows.on('error', () => {});
    try {
      const data: PartData = { evaluation, jobsOf, submitted: Date.now() };
      let before = 0;
      for (const { id, from, to } of plan.parts) {
        // A part is there as a whole, or not at all.
        if ((await queues.evaluations.getJob(id)) === undefined) {
          await flows.add({
            ...{ name: 'part', queueName: EVALUATIONS, data, opts: { jobId: id } },
            children: jobs.slice(from, to).map((images, i) => ({
              ...{ name: 'images', queueName: JOBS, data: { images } },
              opts: {
                jobId: jobId(plan.id, from + i),
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
      const retried = before === 0 ? 0 : await retryFailed(queues, plan.id);
      return { id: plan.id, jobs: plan.jobs, before, retried, warnings: queues.redis.warnings };
    } finally {
      await flows.close().catch(() => {});
    }
  });
}

/** Puts the failed jobs of an evaluation into the queue again. @returns how many */
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

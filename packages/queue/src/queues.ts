import { CertError } from '@cert/core';
import { type Job, Queue } from 'bullmq';
import { callRedis, openRedis, PREFIX, type RedisAddress } from './redis.js';
import {
  checkId,
  JOBS,
  type JobData,
  type JobResult,
  type PartData,
  planOf,
  readPart,
  SUBMISSIONS,
  submissionOf,
} from './work.js';

/** The two queues of a Redis server. */
export interface Queues {
  readonly redis: RedisAddress;
  readonly submissions: Queue<PartData, unknown, string, PartData, unknown, string>;
  readonly jobs: Queue<JobData, JobResult, string, JobData, JobResult, string>;
}

/** Calls with the queues of a server, and closes them. @throws CertError as `openRedis` */
export async function withQueues<T>(url: string, call: (queues: Queues) => Promise<T>): Promise<T> {
  const redis = await openRedis(url);
  // A command fails after a few attempts, where a worker waits until the server is back.
  const options = { connection: { ...redis.options, maxRetriesPerRequest: 5 }, prefix: PREFIX };
  const submissions: Queues['submissions'] = new Queue(SUBMISSIONS, options);
  const jobs: Queues['jobs'] = new Queue(JOBS, options);
  // The calls reject with the same errors.
  for (const queue of [submissions, jobs]) queue.on('error', () => {});
  try {
    return await callRedis(redis, () => call({ redis, submissions, jobs }));
  } finally {
    await Promise.allSettled([submissions.close(), jobs.close()]);
  }
}

/** A part in Redis. */
export type Part = Job<PartData>;

/** The parts of a submission that are in Redis, in their order. @throws CertError `bad-argument` if there is none, `bad-data` for one that is damaged */
export async function partsOf({ submissions, redis }: Queues, id: string): Promise<readonly [Part, ...Part[]]> {
  checkId(id);
  const first = await submissions.getJob(`${id}-part-0`);
  if (first === undefined) {
    throw new CertError(
      'bad-argument',
      `Redis at ${redis.name} has no submission ${id}.`,
      'List the submissions with: cert queue status --redis URL',
    );
  }
  const others: Part[] = [];
  for (const { id: part } of planOf(id, readPart(first.data)).parts.slice(1)) {
    const found = await submissions.getJob(part);
    if (found !== undefined) others.push(found);
  }
  return [first, ...others];
}

/** The IDs of all submissions, the oldest first. */
export async function submissionIds({ submissions }: Queues): Promise<readonly string[]> {
  const parts = await submissions.getJobs(['waiting', 'waiting-children', 'delayed', 'failed', 'completed']);
  const first = parts.filter((part) => part?.id?.endsWith('-part-0'));
  return first.sort((a, b) => a.timestamp - b.timestamp).map(({ id }) => submissionOf(id!));
}

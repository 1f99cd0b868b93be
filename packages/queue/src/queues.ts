import { CertError } from '@cert/core';
import { type Job, Queue } from 'bullmq';
import {
  checkId,
  EVALUATIONS,
  evaluationOf,
  JOBS,
  type JobData,
  type JobResult,
  type PartData,
  planOf,
} from './evaluation.js';
import { callRedis, openRedis, PREFIX, type RedisAddress } from './redis.js';

/** The two queues of a Redis server. */
export interface Queues {
  readonly redis: RedisAddress;
  readonly evaluations: Queue<PartData, unknown, string, PartData, unknown, string>;
  readonly jobs: Queue<JobData, JobResult, string, JobData, JobResult, string>;
}

/** Calls with the queues of a server, and closes them. @throws CertError as `openRedis` */
export async function withQueues<T>(url: string, call: (queues: Queues) => Promise<T>): Promise<T> {
  const redis = await openRedis(url);
  // A command fails after a few attempts, where a worker waits until the server is back.
  const options = { connection: { ...redis.options, maxRetriesPerRequest: 5 }, prefix: PREFIX };
  const evaluations: Queues['evaluations'] = new Queue(EVALUATIONS, options);
  const jobs: Queues['jobs'] = new Queue(JOBS, options);
  // The calls reject with the same errors.
  for (const queue of [evaluations, jobs]) queue.on('error', () => {});
  try {
    return await callRedis(redis, () => call({ redis, evaluations, jobs }));
  } finally {
    await Promise.allSettled([evaluations.close(), jobs.close()]);
  }
}

/** A part in Redis. */
export type Part = Job<PartData>;

/** The parts of an evaluation that are in Redis, in their order. @throws CertError `bad-argument` if there is none */
export async function partsOf({ evaluations, redis }: Queues, id: string): Promise<readonly [Part, ...Part[]]> {
  checkId(id);
  const first = await evaluations.getJob(`${id}-part-0`);
  if (first === undefined) {
    throw new CertError(
      'bad-argument',
      `Redis at ${redis.name} has no evaluation ${id}.`,
      'List the evaluations with: cert queue status --redis URL',
    );
  }
  const others: Part[] = [];
  for (const { id: part } of planOf(first.data).parts.slice(1)) {
    const found = await evaluations.getJob(part);
    if (found !== undefined) others.push(found);
  }
  return [first, ...others];
}

/** The IDs of all evaluations, the oldest first. */
export async function evaluationIds({ evaluations }: Queues): Promise<readonly string[]> {
  const parts = await evaluations.getJobs(['waiting', 'waiting-children', 'delayed', 'failed', 'completed']);
  const first = parts.filter((part) => part?.id?.endsWith('-part-0'));
  return first.sort((a, b) => a.timestamp - b.timestamp).map(({ id }) => evaluationOf(id!));
}

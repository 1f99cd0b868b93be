import { CertError } from '@cert/core';
import { type Job, Queue } from 'bullmq';
import { closeOrLeave } from './close-or-leave.js';
import { callRedis, impatient, openRedis, PREFIX, type RedisAddress } from './redis.js';
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
  const options = { connection: impatient(redis), prefix: PREFIX };
  const submissions: Queues['submissions'] = new Queue(SUBMISSIONS, options);
  const jobs: Queues['jobs'] = new Queue(JOBS, options);
  // The calls reject with the same errors.
  for (const queue of [submissions, jobs]) queue.on('error', () => {});
  try {
    return await callRedis(redis, () => call({ redis, submissions, jobs }));
  } finally {
    await Promise.all([submissions, jobs].map(closeOrLeave));
  }
}

/** A part in Redis. */
export type Part = Job<PartData>;

/** The parts of a submission that are in Redis, in their order. @throws CertError `bad-argument` if there is none, `bad-data` for one that is damaged */
export async function partsOf(queues: Queues, id: string): Promise<readonly [Part, ...Part[]]> {
  checkId(id);
  const { submissions } = queues;
  const first = await submissions.getJob(`${id}-part-0`);
  if (first === undefined) throw unknownId(queues, id);
  const others: Part[] = [];
  for (const { id: part } of planOf(id, readPart(first.data)).parts.slice(1)) {
    const found = await submissions.getJob(part);
    if (found !== undefined) others.push(found);
  }
  return [first, ...others];
}

/** Where parts are: no worker takes them. */
const STATES = ['wait', 'waiting-children', 'delayed', 'failed', 'completed'] as const;

/** The IDs of all parts, which may be damaged, in no order. Data is not read. */
const partIds = ({ submissions }: Queues): Promise<readonly string[]> => submissions.getRanges([...STATES], 0, -1);

/** The IDs of all submissions, which may be damaged, in no order. */
export async function submissionIds(queues: Queues): Promise<readonly string[]> {
  return [...new Set((await partIds(queues)).map(submissionOf))];
}

/**
 * The parts of a submission, which may be damaged, the first one at the end.
 *
 * @throws CertError `bad-argument` if there is none
 */
export async function partsToRemove(queues: Queues, id: string): Promise<readonly Part[]> {
  checkId(id);
  const own = (await partIds(queues)).filter((part) => part.startsWith(`${id}-part-`));
  if (own.length === 0) throw unknownId(queues, id);
  const number = (part: string) => Number(part.slice(`${id}-part-`.length));
  const parts: Part[] = [];
  for (const part of own.sort((a, b) => number(b) - number(a))) {
    const found = await queues.submissions.getJob(part);
    if (found !== undefined) parts.push(found);
  }
  return parts;
}

const unknownId = ({ redis }: Queues, id: string) =>
  new CertError(
    'bad-argument',
    `Redis at ${redis.name} has no submission ${id}.`,
    'List the submissions with: cert queue status --redis URL',
  );

import { CertError } from '@cert/core';
import { KINDS, type KindName } from './kinds.js';
import { partsOf, type Queues, submissionIds, withQueues } from './queues.js';
import { itemsOfJobs, jobNumber, planOf, readPart, submissionOf } from './work.js';

/** A job that has failed as often as it may. */
export interface FailedJob {
  /** Its number in the submission, from 0. */
  readonly job: number;
  /** Its items: none of them has a result. */
  readonly items: readonly number[];
  /** The message of the last error. */
  readonly reason: string;
}

/** How far a submission is. Plain data. */
export interface SubmissionStatus {
  /** ID of the submission. */
  readonly id: string;
  /** The kind of work. */
  readonly kind: KindName;
  /** Settings of the work, as its kind tells them. */
  readonly settings: { readonly [name: string]: unknown };
  /** Number of items. */
  readonly items: number;
  /** Number of jobs. */
  readonly jobs: number;
  /** Jobs with a result. */
  readonly done: number;
  /** Jobs that a worker is at. */
  readonly active: number;
  /** Jobs that have failed as often as they may. */
  readonly failed: readonly FailedJob[];
  /** Jobs that are not in Redis: the submission was interrupted, or the server lost data. */
  readonly missing: number;
  /** Milliseconds since 1970. */
  readonly submitted: number;
  /** Whether every job has a result. */
  readonly complete: boolean;
}

/** A submission that cannot be read. */
export interface DamagedSubmission {
  /** ID of the submission. */
  readonly id: string;
  /** What is wrong. */
  readonly problem: string;
}

/** A worker that is connected. */
export interface WorkerStatus {
  /** Host and process. */
  readonly name: string;
  /** Its address as the server sees it. */
  readonly address: string;
}

/** What {@link queueStatus} found. Plain data. */
export interface QueueStatus {
  /** Submissions, the oldest first. */
  readonly submissions: readonly SubmissionStatus[];
  /** Submissions that cannot be read, or are of another version. */
  readonly damaged: readonly DamagedSubmission[];
  /** Connected workers. */
  readonly workers: readonly WorkerStatus[];
  /** Jobs of all submissions that wait or are being computed. */
  readonly open: number;
  /** Jobs done per minute, over the last minutes; null until a minute has passed. */
  readonly jobsPerMinute: number | null;
  /** Seconds until no job is open, at this rate; null while it is unknown. */
  readonly secondsLeft: number | null;
}

/** Codes of errors that are about one submission: it is damaged, or was removed a moment ago. */
const TOLD: readonly string[] = ['bad-data', 'bad-argument'];

/** Minutes of which the rate is the mean. */
const MINUTES = 5;

/**
 * Asks how far submissions are.
 *
 * @param redis the URL of the server
 * @param id of one submission; default all
 * @throws CertError `no-network` if Redis cannot be reached, `bad-argument` for an unknown ID
 */
export const queueStatus = (redis: string, id?: string): Promise<QueueStatus> =>
  withQueues(redis, async (queues) => {
    const ids = id === undefined ? await submissionIds(queues) : [id];
    const active = (await queues.jobs.getActive()).map((job) => submissionOf(job.id ?? ''));
    const submissions: SubmissionStatus[] = [];
    const damaged: DamagedSubmission[] = [];
    for (const each of ids) {
      try {
        submissions.push(await statusOf(queues, each, active.filter((other) => other === each).length));
      } catch (error) {
        // One must not hide the others.
        if (id !== undefined || !(error instanceof CertError && TOLD.includes(error.code))) throw error;
        damaged.push({ id: each, problem: error.problem });
      }
    }
    submissions.sort((a, b) => a.submitted - b.submitted);
    const counts = await queues.jobs.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
    const open = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const { data } = await queues.jobs.getMetrics('completed', 0, MINUTES - 1);
    const rates = data.map(Number);
    const sum = rates.reduce((all, rate) => all + rate, 0);
    const jobsPerMinute = sum === 0 ? null : sum / rates.length;
    const secondsLeft = jobsPerMinute === null ? null : (60 * open) / jobsPerMinute;
    return { submissions, damaged, workers: await workersOf(queues), open, jobsPerMinute, secondsLeft };
  });

/** How far one submission is. @param active the jobs of it that workers are at */
export async function statusOf(queues: Queues, id: string, active: number): Promise<SubmissionStatus> {
  const parts = await partsOf(queues, id);
  const data = readPart(parts[0].data);
  const { jobs } = planOf(id, data);
  let items: ReturnType<typeof itemsOfJobs> | undefined;
  const failed: FailedJob[] = [];
  let [done, known] = [0, 0];
  for (const part of parts) {
    const { processed = 0, unprocessed = 0, ignored = 0 } = await part.getDependenciesCount();
    done += processed;
    known += processed + unprocessed + ignored;
    if (ignored === 0) continue;
    items ??= itemsOfJobs(data);
    for (const [key, reason] of Object.entries(await part.getIgnoredChildrenFailures())) {
      const job = jobNumber(key);
      failed.push({ job, items: items[job] ?? [], reason });
    }
  }
  const { kind, count, submitted } = data;
  return {
    ...{ id, kind, settings: settingsOf(kind, data.work), items: count, jobs, done, active },
    failed: failed.sort((a, b) => a.job - b.job),
    ...{ missing: jobs - known, submitted, complete: done === jobs },
  };
}

const settingsOf = <K extends KindName>(kind: K, work: unknown) => KINDS[kind].settings(KINDS[kind].read(work));

async function workersOf({ jobs }: Queues): Promise<readonly WorkerStatus[]> {
  const clients = await jobs.getWorkers();
  return clients.map(({ rawname = '', addr = '' }) => ({
    ...{ name: rawname.split(':w:')[1] ?? '', address: addr },
  }));
}

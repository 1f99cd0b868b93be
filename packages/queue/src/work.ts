import { CertError } from '@cert/core';
import { sha256 } from '@cert/models';
import { KINDS, type KindName, kindOf, type Works } from './kinds.js';

/** What a worker computed for a job. Plain data. */
export interface JobResult {
  /** The results of its items, one each. */
  readonly lines: readonly unknown[];
  /** Name of the device. */
  readonly device: string;
  /** Actual hardware and runtime of the device. */
  readonly deviceDescription: string;
  /** Seconds for the whole job. */
  readonly seconds: number;
  /** Of these, in each stage. */
  readonly stageSeconds: { readonly [stage: string]: number };
}

/** The queue of jobs; workers take from it. */
export const JOBS = 'jobs';

/** The queue of submissions, which no worker takes from: a job of it depends on the jobs of {@link JOBS}, and holds their results. */
export const SUBMISSIONS = 'submissions';

/** Jobs that are submitted at once, in one transaction: a part of a submission. */
const PART = 5000;

/** Items of a part, at most: it may hold something of each. */
const ITEMS = 20_000;

/** The data of a part, as it is written. What is read is not trusted: {@link readPart}. */
export interface PartData<K extends KindName = KindName> {
  readonly kind: K;
  /** What the items of this part need. */
  readonly work: Works[K];
  /** Items in the whole submission. */
  readonly count: number;
  /** Items in a job. */
  readonly jobsOf: number;
  /** Milliseconds since 1970. */
  readonly submitted: number;
}

/** The data of a job; its parent is a part. */
export interface JobData {
  readonly items: readonly number[];
}

/** How a submission is cut into jobs and parts. */
export interface Plan {
  /** Number of jobs. */
  readonly jobs: number;
  /** The parts: the numbers of their first jobs, and behind their last ones. */
  readonly parts: readonly { readonly id: string; readonly from: number; readonly to: number }[];
}

/** The same for the same work, cut in the same way: 12 hexadecimal digits. */
export const idOf = <K extends KindName>(kind: K, work: Works[K], jobsOf: number): string =>
  sha256(new TextEncoder().encode(JSON.stringify({ kind, work, jobsOf }))).slice(0, 12);

/** Returns how a submission is cut into jobs of so many items, the last one with fewer. */
export function planOf(id: string, { count, jobsOf }: Pick<PartData, 'count' | 'jobsOf'>): Plan {
  const jobs = Math.ceil(count / jobsOf);
  const size = Math.max(1, Math.min(PART, Math.floor(ITEMS / jobsOf)));
  const parts = Array.from({ length: Math.ceil(jobs / size) }, (_, part) => ({
    ...{ id: `${id}-part-${part}`, from: part * size, to: Math.min(jobs, (part + 1) * size) },
  }));
  return { jobs, parts };
}

/** Returns the items of each job. */
export function itemsOfJobs({
  kind,
  count,
  jobsOf,
}: Pick<PartData, 'kind' | 'count' | 'jobsOf'>): readonly (readonly number[])[] {
  const order = KINDS[kind].order(count);
  return Array.from({ length: Math.ceil(count / jobsOf) }, (_, job) => order.slice(job * jobsOf, (job + 1) * jobsOf));
}

/** Checks the data of a part, up to its work. @throws CertError `bad-data` if it is damaged, `bad-argument` for an unknown kind */
export function readPart(value: unknown): Omit<PartData, 'work'> & { readonly work: unknown } {
  const { kind, work, count, jobsOf, submitted } = (value ?? {}) as { readonly [name: string]: unknown };
  const known = kindOf(kind);
  if (isCount(count) && isCount(jobsOf) && typeof submitted === 'number') {
    return { kind: known, work, count, jobsOf, submitted };
  }
  throw new CertError(
    'bad-data',
    'A submission in the queue is not one that cert queue submit writes.',
    'Remove it with cert queue remove, and submit it again.',
  );
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1;

/** The submission that a part or a job belongs to. */
export const submissionOf = (id: string): string => id.slice(0, 12);

/** The number of a job in its submission; NaN for another text. @param key of the job in Redis, or its ID */
export const jobNumber = (key: string): number => Number(/-job-(\d+)$/.exec(key)?.[1]);

/** The ID of a job. */
export const jobId = (id: string, job: number): string => `${id}-job-${job}`;

/** @throws CertError `bad-argument` for a text that is not the ID of a submission */
export function checkId(id: string): void {
  if (/^[0-9a-f]{12}$/.test(id)) return;
  throw new CertError(
    'bad-argument',
    `${JSON.stringify(id)} is not the ID of a submission.`,
    'Give the 12 digits that cert queue submit printed; cert queue status lists all submissions.',
  );
}

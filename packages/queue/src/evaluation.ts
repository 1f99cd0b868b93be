import { CertError } from '@cert/core';
import { sha256 } from '@cert/models';
import { type EvaluationSettings, hashOrder, type StoredResult } from '@cert/verify/node';

/** An evaluation as a queue knows it: references alone, no code and no weights. Plain data. */
export interface QueuedEvaluation {
  /** Settings that determine the results. `checkpoint` is the SHA-256 of the network's file. */
  readonly settings: EvaluationSettings;
  /** Number of images. */
  readonly images: number;
  /** What a worker looks up to evaluate: names and options. Plain JSON, which the worker checks before it uses it. */
  readonly setup: { readonly [name: string]: unknown };
}

/** What a worker computed for a job. Plain data. */
export interface JobResult {
  /** The lines of its images. */
  readonly lines: readonly StoredResult[];
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

/** The queue of evaluations, which no worker takes from: a job of it depends on the jobs of {@link JOBS}, and holds their results. */
export const EVALUATIONS = 'evaluations';

/** Jobs that are submitted at once, in one transaction: a part of an evaluation. */
const PART = 5000;

/** The data of a part. */
export interface PartData {
  readonly evaluation: QueuedEvaluation;
  /** Images in a job. */
  readonly jobsOf: number;
  /** Milliseconds since 1970. */
  readonly submitted: number;
}

/** The data of a job; its parent is a part. */
export interface JobData {
  readonly images: readonly number[];
}

/** How an evaluation is cut into jobs and parts. */
export interface Plan {
  /** The same for the same evaluation, cut in the same way: 12 hexadecimal digits. */
  readonly id: string;
  /** Number of jobs. */
  readonly jobs: number;
  /** The parts: the numbers of their first jobs, and behind their last ones. */
  readonly parts: readonly { readonly id: string; readonly from: number; readonly to: number }[];
}

/** Returns how an evaluation is cut into jobs of so many images, the last one with fewer. */
export function planOf({ evaluation, jobsOf }: Pick<PartData, 'evaluation' | 'jobsOf'>): Plan {
  const text = JSON.stringify({ evaluation, jobsOf });
  const id = sha256(new TextEncoder().encode(text)).slice(0, 12);
  const jobs = Math.ceil(evaluation.images / jobsOf);
  const parts = Array.from({ length: Math.ceil(jobs / PART) }, (_, part) => ({
    ...{ id: partId(id, part), from: part * PART, to: Math.min(jobs, (part + 1) * PART) },
  }));
  return { id, jobs, parts };
}

/** Returns the images of each job, in the order of the hash in which shards are dealt out. */
export function imagesOfJobs({
  evaluation: { images },
  jobsOf,
}: Pick<PartData, 'evaluation' | 'jobsOf'>): readonly (readonly number[])[] {
  const order = hashOrder(images);
  return Array.from({ length: Math.ceil(images / jobsOf) }, (_, job) => order.slice(job * jobsOf, (job + 1) * jobsOf));
}

const partId = (id: string, part: number) => `${id}-part-${part}`;

/** The evaluation that a part or a job belongs to. */
export const evaluationOf = (id: string): string => id.slice(0, 12);

/** The number of a job in its evaluation; NaN for another text. @param key of the job in Redis, or its ID */
export const jobNumber = (key: string): number => Number(/-job-(\d+)$/.exec(key)?.[1]);

/** The ID of a job. */
export const jobId = (id: string, job: number): string => `${id}-job-${job}`;

/** @throws CertError `bad-argument` for a text that is not the ID of an evaluation */
export function checkId(id: string): void {
  if (/^[0-9a-f]{12}$/.test(id)) return;
  throw new CertError(
    'bad-argument',
    `${JSON.stringify(id)} is not the ID of an evaluation.`,
    'Give the 12 digits that cert queue submit printed; cert queue status lists all evaluations.',
  );
}

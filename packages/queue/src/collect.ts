import { rm, stat } from 'node:fs/promises';
import { CertError } from '@cert/core';
import {
  differingSetting,
  type EvaluationSummary,
  type EvaluationTimes,
  isResultOf,
  readEvaluationFile,
  type StoredResult,
  summaryFileOf,
  writeEvaluation,
  writeWholeEvaluation,
} from '@cert/verify/node';
import { imagesOfJobs, type JobResult, jobNumber } from './evaluation.js';
import { type Part, partsOf, withQueues } from './queues.js';
import { type EvaluationStatus, statusOf } from './status.js';

/** Options of {@link collectResults}. */
export interface CollectOptions {
  /** The URL of the server. */
  readonly redis: string;
  /** Of the evaluation. */
  readonly id: string;
  /** File for the lines, whose name ends in `.jsonl`. */
  readonly out: string;
}

/**
 * Writes the results of an evaluation to the file that one evaluation without a queue would have written, its lines in the order of the
 * images, and its summary. While results are missing, the lines of those that are there are written, and no summary. Results that are
 * already in the file, of the same settings, stay where the queue has none. What Redis holds is not trusted: a result is dropped that is not of
 * one of the images of its job, or contradicts itself or the settings.
 *
 * @throws CertError `bad-data` if images have no result, saying how many and why; `run-exists` if the file has other settings or is of other data; `bad-file` if
 * it cannot be read or written; `bad-argument` for an unknown ID; `no-network` if Redis cannot be reached
 */
export const collectResults = ({ redis, id, out }: CollectOptions): Promise<EvaluationSummary> =>
  withQueues(redis, async (queues) => {
    const parts = await partsOf(queues, id);
    const [{ data }] = parts;
    const { evaluation } = data;
    const { settings } = evaluation;
    const jobs = imagesOfJobs(data);
    const results = await resultsIn(out, settings);
    const damaged: number[] = [];
    const times = { devices: new Set<string>(), descriptions: new Set<string>(), seconds: 0, stages: {} };
    for (const part of parts) {
      for await (const [key, value] of resultsOf(part)) {
        const job = jobNumber(key);
        const images = jobs[job];
        if (images === undefined) continue;
        const lines = linesOf(value, images, (line) => isResultOf(line, settings));
        if (lines === undefined) {
          damaged.push(job);
          continue;
        }
        for (const line of lines) {
          checkSameInput(results.get(line.index), line, out);
          results.set(line.index, line);
        }
        addTimes(times, value);
      }
    }
    const found = [...results.values()]
      .filter(({ index }) => index < evaluation.images)
      .sort((a, b) => a.index - b.index);
    if (found.length === evaluation.images) {
      return writeWholeEvaluation(out, settings, found, timesOf(times));
    }
    await writeEvaluation(out, settings, found);
    await rm(summaryFileOf(out), { force: true });
    throw incomplete(await statusOf(queues, id, 0), found.length, damaged, out);
  });

/** The results that the file has. @throws CertError `run-exists` for other settings */
async function resultsIn(file: string, settings: EvaluationSummary['settings']): Promise<Map<number, StoredResult>> {
  if (!(await stat(file).catch(() => undefined))) return new Map();
  const { settings: begun, results } = await readEvaluationFile(file);
  const difference = differingSetting(settings, begun);
  if (difference === undefined) return new Map(results.map((result) => [result.index, result]));
  throw new CertError('run-exists', `${file} was started with ${difference}.`, 'Choose another file with --out.');
}

/** @throws CertError `run-exists` if a line of the file is of another input or label than the result of the queue: the file is of other data */
function checkSameInput(known: StoredResult | undefined, result: StoredResult, file: string): void {
  if (known === undefined || (known.input === result.input && known.label === result.label)) return;
  throw new CertError(
    'run-exists',
    `${file} has a result for other values or another label of image ${result.index} than the queue.`,
    'Choose another file with --out.',
  );
}

/** Results that are read from Redis at once. */
const PAGE = 500;

/** The results in a part, by the keys of their jobs; one may come twice. */
async function* resultsOf(part: Part): AsyncGenerator<readonly [string, unknown]> {
  let cursor = 0;
  do {
    const { processed = {}, nextProcessedCursor = 0 } = await part.getDependencies({
      processed: { cursor, count: PAGE },
    });
    yield* Object.entries(processed);
    cursor = Number(nextProcessedCursor);
  } while (cursor !== 0);
}

/** The lines of a job's result; undefined unless they are those of exactly its images, and results of the evaluation. */
function linesOf(
  value: unknown,
  images: readonly number[],
  isResult: (line: unknown) => line is StoredResult,
): readonly StoredResult[] | undefined {
  const { lines } = (value ?? {}) as { readonly lines?: unknown };
  if (!Array.isArray(lines) || !lines.every(isResult)) return undefined;
  const indices = lines.map(({ index }) => index).sort((a, b) => a - b);
  return JSON.stringify(indices) === JSON.stringify([...images].sort((a, b) => a - b)) ? lines : undefined;
}

interface Times {
  readonly devices: Set<string>;
  readonly descriptions: Set<string>;
  readonly stages: { [stage: string]: number };
  seconds: number;
}

function addTimes(times: Times, value: unknown): void {
  const { device, deviceDescription, seconds, stageSeconds = {} } = value as Partial<JobResult>;
  if (typeof device === 'string') times.devices.add(device);
  if (typeof deviceDescription === 'string') times.descriptions.add(deviceDescription);
  if (typeof seconds === 'number') times.seconds += seconds;
  for (const [stage, own] of Object.entries(stageSeconds)) {
    if (typeof own === 'number') times.stages[stage] = (times.stages[stage] ?? 0) + own;
  }
}

const timesOf = ({ devices, descriptions, seconds, stages }: Times): EvaluationTimes => ({
  device: [...devices].sort().join(', '),
  deviceDescription: [...descriptions].sort().join(', '),
  ...{ seconds, stageSeconds: stages },
});

/** Failed jobs whose reasons a message tells. */
const TOLD = 3;

function incomplete(status: EvaluationStatus, found: number, damaged: readonly number[], out: string): CertError {
  const { images, jobs, done, failed, missing } = status;
  const open = jobs - done - failed.length - missing;
  const told = failed.slice(0, TOLD).map(({ job, reason }) => `job ${job}: ${reason}`);
  const facts = [
    ...(open > 0 ? [`${open} jobs are not done`] : []),
    ...(failed.length > 0 ? [`${failed.length} jobs have failed (${told.join('; ')})`] : []),
    ...(missing > 0 ? [`${missing} jobs are not in the queue`] : []),
    ...(damaged.length > 0 ? [`the results of ${damaged.length} jobs are damaged and were dropped`] : []),
  ];
  const cure =
    open > 0
      ? 'Wait for the workers (cert queue status), then collect again.'
      : 'Submit the evaluation again with the same command, which tries these jobs again, or evaluate the rest here: cert eval with the same options and this --out.';
  return new CertError(
    'bad-data',
    `The evaluation is not complete: ${images - found} of ${images} images have no result. ${facts.join(', ')}. The other results are in ${out}.`,
    cure,
  );
}

import { rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import { lockFile, makeFolder } from '@cert/models/node';
import {
  differingSetting,
  type EvaluationSummary,
  type EvaluationTimes,
  isResultOf,
  moreDecided,
  readEvaluationFile,
  resultsHash,
  type StoredResult,
  summaryFileOf,
  writeEvaluation,
  writeWholeEvaluation,
} from '@cert/verify/node';
import { EVALUATION, type QueuedEvaluation } from './evaluation.js';
import { incomplete } from './incomplete.js';
import { type Part, partsOf, withQueues } from './queues.js';
import { checkedJobs } from './results.js';
import { statusOf } from './status.js';
import { type JobResult, readPart } from './work.js';

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
 * @throws CertError `bad-data` if images have no result, saying how many and why, and if the file contradicts the queue; `run-exists` if the file has other settings or is of other data; `bad-file` if
 * it cannot be read or written; `in-use` if another process is using it; `bad-argument` for an unknown ID; `no-network` if Redis cannot be reached
 */
export async function collectResults(options: CollectOptions): Promise<EvaluationSummary> {
  const { out } = options;
  await makeFolder(dirname(out));
  const unlock = await lockFile(`${out}.lock`, `The evaluation ${out}`);
  try {
    return await collectLocked(options);
  } finally {
    await unlock();
  }
}

const collectLocked = ({ redis, id, out }: CollectOptions): Promise<EvaluationSummary> =>
  withQueues(redis, async (queues) => {
    const parts = await partsOf(queues, id);
    const evaluation = evaluationIn(parts[0], id);
    const { settings } = evaluation;
    const results = await resultsIn(out, settings);
    const damaged: number[] = [];
    const times = { devices: new Set<string>(), descriptions: new Set<string>(), seconds: 0, stages: {} };
    for await (const { lines, value } of checkedJobs(parts, (job) => damaged.push(job))) {
      for (const { line } of lines) {
        if (!isResultOf(line, settings)) continue;
        const known = results.get(line.index);
        checkSameInput(known, line, out);
        const own = { result: line, file: 'the queue' };
        results.set(line.index, known === undefined ? line : moreDecided({ result: known, file: out }, own).result);
      }
      addTimes(times, value);
    }
    const found = [...results.values()]
      .filter(({ index }) => index < evaluation.images)
      .sort((a, b) => a.index - b.index);
    if (found.length === evaluation.images) {
      if (resultsHash(found) !== evaluation.data) throw otherData(out, 'has results of other images or labels');
      return writeWholeEvaluation(out, settings, found, timesOf(times));
    }
    await writeEvaluation(out, settings, found);
    await rm(summaryFileOf(out), { force: true });
    throw incomplete({
      ...{ status: await statusOf(queues, id, 0), found: found.length, damaged, out },
      alone: 'evaluate the rest here: cert eval with the same options and this --out',
    });
  });

/** @throws CertError `bad-argument` for a submission of another kind */
function evaluationIn(part: Part, id: string): QueuedEvaluation {
  const { kind, work } = readPart(part.data);
  if (kind === 'evaluation') return EVALUATION.read(work);
  throw new CertError('bad-argument', `The submission ${id} is of the kind ${kind}.`, 'Give the ID of an evaluation.');
}

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
  throw otherData(file, `has a result for other values or another label of image ${result.index}`);
}

const otherData = (file: string, what: string) =>
  new CertError('run-exists', `${file} ${what} than the queue.`, 'Choose another file with --out.');

interface Times {
  readonly devices: Set<string>;
  readonly descriptions: Set<string>;
  readonly stages: { [stage: string]: number };
  seconds: number;
}

function addTimes(times: Times, { device, deviceDescription, seconds, stageSeconds }: Partial<JobResult>): void {
  if (typeof device === 'string') times.devices.add(device);
  if (typeof deviceDescription === 'string') times.descriptions.add(deviceDescription);
  if (typeof seconds === 'number') times.seconds += seconds;
  for (const [stage, own] of Object.entries(stageSeconds ?? {})) {
    if (typeof own === 'number') times.stages[stage] = (times.stages[stage] ?? 0) + own;
  }
}

const timesOf = ({ devices, descriptions, seconds, stages }: Times): EvaluationTimes => ({
  device: [...devices].sort().join(', '),
  deviceDescription: [...descriptions].sort().join(', '),
  ...{ seconds, stageSeconds: stages },
});

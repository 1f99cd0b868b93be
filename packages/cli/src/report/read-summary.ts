import { readFile } from 'node:fs/promises';
import { CertError, parseJson } from '@cert/core';
import { runFiles, type Summary } from '@cert/trainer/pipeline';
import { areErrors } from '../runs/read-run.js';

/** What a report takes from `summary.json`. */
export type RunSummary = Pick<
  Summary,
  | 'images'
  | 'epsilon'
  | 'standardError'
  | 'pgdError'
  | 'verifiedError'
  | 'bound'
  | 'attack'
  | 'parameters'
  | 'deviceDescription'
  | 'delta'
  | 'absoluteError'
  | 'verifiedAbsoluteError'
>;

/**
 * Reads the results of a finished run.
 *
 * @throws CertError `bad-file` when the file is damaged: a number is missing, or errors contradict each other
 */
export async function readRunSummary(folder: string): Promise<RunSummary> {
  const file = runFiles(folder).summary;
  const value: unknown = await readFile(file, 'utf8').then(parseJson, () => null);
  if (isSummary(value)) return value;
  throw new CertError('bad-file', `${file} is damaged.`, 'Restore the file, or evaluate the run again with cert eval.');
}

/** Missing for a classifier; null where a prediction or a bound is not finite. */
const isMean = (value: unknown) => value === undefined || value === null || Number.isFinite(value);

function isSummary(value: unknown): value is RunSummary {
  if (typeof value !== 'object' || value === null) return false;
  if (!areErrors({ ...value })) return false;
  const { epsilon, bound, ...more } = value as Partial<Summary>;
  if (!(typeof epsilon === 'number' && epsilon >= 0) || typeof bound !== 'string') return false;
  if (!Number.isFinite(more.parameters) || typeof more.deviceDescription !== 'string') return false;
  if (!isMean(more.absoluteError) || !isMean(more.verifiedAbsoluteError)) return false;
  return more.delta === undefined || (Number.isFinite(more.delta) && more.delta > 0);
}

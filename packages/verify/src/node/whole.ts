import { writeFileAtomic } from '@cert/models/node';
import { type EvaluationSummary, summaryFileOf, totalsOf } from './evaluate-file.js';
import { writeEvaluation } from './file.js';
import type { EvaluationSettings, StoredResult } from './settings.js';

/** What the summary of an evaluation says about machines and times. */
export type EvaluationTimes = Pick<EvaluationSummary, 'device' | 'deviceDescription' | 'seconds' | 'stageSeconds'>;

/**
 * Writes the lines of an evaluation of which every image has a result, and its summary.
 *
 * @param file whose name ends in `.jsonl`
 * @param results of all images, in the order of their lines
 * @throws CertError `bad-file` when a file cannot be written
 */
export async function writeWholeEvaluation(
  file: string,
  settings: EvaluationSettings,
  results: readonly StoredResult[],
  times: EvaluationTimes,
): Promise<EvaluationSummary> {
  await writeEvaluation(file, settings, results);
  const summary = { settings, ...times, before: 0, ...totalsOf(results, settings) };
  await writeFileAtomic(summaryFileOf(file), `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}

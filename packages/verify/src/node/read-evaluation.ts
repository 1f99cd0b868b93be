import { readFile } from 'node:fs/promises';
import { parseJson } from '@cert/core';
import { summaryFileOf } from './evaluate-file.js';
import { readEvaluationFile } from './file.js';
import type { EvaluationSettings, StoredResult } from './settings.js';

/** What {@link readEvaluation} found. Plain data. */
export interface ReadEvaluation {
  /** What was computed. */
  readonly settings: EvaluationSettings;
  /** Results in the order of their indices. */
  readonly results: readonly StoredResult[];
  /**
   * Whether the evaluation ended and `results` are those of the images 0 to N - 1. Otherwise counts of them are biased: images that are
   * verified at once are written first.
   */
  readonly finished: boolean;
  /** Number of damaged lines, which are skipped. */
  readonly damaged: number;
}

/**
 * Reads the JSONL file of an evaluation without changing it. A line that is damaged, or that contradicts itself, the settings or another
 * line, is skipped, as `evaluateImages` does when it continues a file.
 *
 * @throws CertError `bad-file` when the file is missing, cannot be read, or is not an evaluation
 */
export async function readEvaluation(file: string): Promise<ReadEvaluation> {
  const { settings, results, damaged } = await readEvaluationFile(file);
  const images = await summarizedImages(summaryFileOf(file));
  // A file may hold more images than the last evaluation was asked for.
  const within = results.filter(({ index }) => index < images);
  // A shard is a part, whether it has ended or not.
  const finished =
    settings.shard === undefined &&
    images > 0 &&
    within.length === images &&
    within.every(({ index }, i) => index === i);
  return { settings, results: finished ? within : results, finished, damaged };
}

/** How many images a summary is about; 0 where there is none: it is written when an evaluation has ended. */
async function summarizedImages(file: string): Promise<number> {
  try {
    const { images } = parseJson(await readFile(file, 'utf8')) as { readonly images?: unknown };
    return typeof images === 'number' && Number.isSafeInteger(images) ? images : 0;
  } catch {
    return 0;
  }
}

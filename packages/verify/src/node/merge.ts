import { readFile } from 'node:fs/promises';
import { CertError, parseJson } from '@cert/core';
import { isBroken } from '../images/result.js';
import { type EvaluationSummary, summaryFileOf } from './evaluate-file.js';
import { readEvaluationFile } from './file.js';
import { differingSetting, type EvaluationSettings, type StoredResult } from './settings.js';
import { shardMembers, shardText } from './shard.js';
import { type EvaluationTimes, writeWholeEvaluation } from './whole.js';

/** A shard's file as merging reads it. */
interface Part {
  readonly file: string;
  readonly settings: EvaluationSettings;
  readonly results: readonly StoredResult[];
}

/**
 * Merges the files of shards into one evaluation file and its summary. The result does not depend on the order of the files, and equals the
 * file of an evaluation without shards once its lines are sorted by image. Lines of one image may occur in several files; of lines that
 * differ, a decided one is taken before an undecided one, then the first in the order of their texts.
 *
 * @param files evaluation files written with a shard
 * @param out file for the merged lines, whose name ends in `.jsonl`
 * @throws CertError `bad-file` for a file that is no evaluation of a shard, `bad-argument` for files of different checkpoints, datasets, versions or
 * settings (the first difference is named), `bad-data` for images that are missing (of which shards) and for a proof in one file that an
 * adversarial example in another contradicts
 */
export async function mergeEvaluations(files: readonly string[], out: string): Promise<EvaluationSummary> {
  const parts: Part[] = [];
  for (const file of files) parts.push({ file, ...(await readEvaluationFile(file)) });
  const [first] = parts;
  if (first === undefined)
    throw new CertError('bad-argument', 'There is nothing to merge.', 'Give the files of shards.');
  const images = imagesOf(parts);
  const byIndex = new Map<number, { readonly result: StoredResult; readonly file: string }>();
  for (const { file, results } of parts) {
    for (const result of results.filter(({ index }) => index < images)) {
      const known = byIndex.get(result.index);
      byIndex.set(result.index, known === undefined ? { result, file } : chosen(known, { result, file }));
    }
  }
  checkComplete(parts, images, byIndex);
  const results = Array.from({ length: images }, (_, index) => byIndex.get(index)!.result);
  const { shard: _, ...settings } = first.settings;
  return writeWholeEvaluation(out, settings, results, await timesOf(files));
}

/** The number of images of the whole evaluation. @throws CertError for files that do not belong together */
function imagesOf(parts: readonly Part[]): number {
  const [first] = parts;
  const { shard, ...settings } = first!.settings;
  for (const { file, settings: other } of parts) {
    const { shard: own, ...others } = other;
    if (own === undefined) {
      throw new CertError(
        'bad-file',
        `${file} is the file of a whole evaluation.`,
        'Give files that cert eval --shard wrote.',
      );
    }
    const difference =
      differingSetting(settings, others) ??
      (own.images === shard?.images ? undefined : `${own.images} images`) ??
      (own.data === shard?.data ? undefined : 'other images or labels');
    if (difference === undefined) continue;
    throw new CertError(
      'bad-argument',
      `${file} and ${first!.file} are not shards of one evaluation: ${file} has ${difference}.`,
      'Merge the files of one checkpoint, evaluated with the same settings and version of cert.',
    );
  }
  return shard!.images;
}

/** Which of two lines of an image is kept. */
function chosen<T extends { readonly result: StoredResult; readonly file: string }>(a: T, b: T): T {
  const [one, other] = [a, b].map(({ result }) => JSON.stringify(result));
  if (one === other) return a;
  const [first, second] = [a, b].map(({ result }) => verdictOf(result));
  const same = a.result.input === b.result.input && a.result.label === b.result.label;
  if (!same || (first !== second && first !== 'undecided' && second !== 'undecided')) {
    throw new CertError(
      'bad-data',
      `${a.file} and ${b.file} contradict each other on image ${a.result.index}: ${first} and ${second}${same ? '' : ', for different pixels or labels'}.`,
      'Evaluate the image again on one machine, and report this: one of the two files is wrong.',
    );
  }
  if (first !== second) return first === 'undecided' ? b : a;
  return one! < other! ? a : b;
}

const verdictOf = (result: StoredResult): 'broken' | 'verified' | 'undecided' => {
  if (isBroken(result)) return 'broken';
  return result.verifiedBy === null ? 'undecided' : 'verified';
};

/** @throws CertError `bad-data` when images are missing, naming the shards that they belong to */
function checkComplete(parts: readonly Part[], images: number, found: ReadonlyMap<number, unknown>): void {
  const missing = Array.from({ length: images }, (_, index) => index).filter((index) => !found.has(index));
  if (missing.length === 0) return;
  const counts = [...new Set(parts.map(({ settings }) => settings.shard!.of))];
  const lacking = counts.flatMap((of) =>
    Array.from({ length: of }, (_, i) => ({ index: i + 1, of })).flatMap((shard) => {
      const members = new Set(shardMembers(images, shard));
      const lost = missing.filter((index) => members.has(index)).length;
      const there = parts.some(({ settings: { shard: own } }) => own!.index === shard.index && own!.of === of);
      return lost === 0 ? [] : [`${shardText(shard)} (${there ? `${lost} images` : 'no file'})`];
    }),
  );
  throw new CertError(
    'bad-data',
    `${missing.length} of ${images} images have no result. Incomplete shards: ${lacking.join(', ')}.`,
    'Run the command of each of these shards again until it ends, then merge.',
  );
}

/** Devices and seconds, as far as the summaries of the shards tell them. */
async function timesOf(files: readonly string[]): Promise<EvaluationTimes> {
  const summaries = await Promise.all(
    files.map(async (file) => {
      try {
        return parseJson(await readFile(summaryFileOf(file), 'utf8')) as Partial<EvaluationSummary>;
      } catch {
        return {};
      }
    }),
  );
  const texts = (key: 'device' | 'deviceDescription') =>
    [...new Set(summaries.flatMap(({ [key]: text }) => (typeof text === 'string' ? [text] : [])))].sort().join(', ');
  const stageSeconds: { [stage: string]: number } = {};
  for (const { stageSeconds: own = {} } of summaries) {
    for (const [stage, seconds] of Object.entries(own)) stageSeconds[stage] = (stageSeconds[stage] ?? 0) + seconds;
  }
  const seconds = summaries.reduce((sum, { seconds: own = 0 }) => sum + own, 0);
  return { device: texts('device'), deviceDescription: texts('deviceDescription'), seconds, stageSeconds };
}

import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError, parseJson } from '@cert/core';
import { lockFile, makeFolder } from '@cert/models/node';
import { isBroken } from '../images/result.js';
import { type EvaluationSummary, summaryFileOf } from './evaluate-file.js';
import { readEvaluationFile } from './file.js';
import { resultsHash } from './input-hash.js';
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
 * settings (the first difference is named), `bad-data` for images that are missing (of which shards), for results of other images than the
 * shards were begun with, and for a proof in one file that an adversarial example in another contradicts, `in-use` if another process is writing the file
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
      byIndex.set(result.index, known === undefined ? { result, file } : moreDecided(known, { result, file }));
    }
  }
  checkComplete(parts, images, byIndex);
  const results = Array.from({ length: images }, (_, index) => byIndex.get(index)!.result);
  const { shard, ...settings } = first.settings;
  if (resultsHash(results) !== shard!.data) {
    throw new CertError(
      'bad-data',
      'The results are of other images or labels than the shards were begun with.',
      'Evaluate the shards again with --overwrite, then merge.',
    );
  }
  await makeFolder(dirname(out));
  const unlock = await lockFile(`${out}.lock`, `The evaluation ${out}`);
  try {
    return await writeWholeEvaluation(out, settings, results, await timesOf(files));
  } finally {
    await unlock();
  }
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

/**
 * Which of two results of an image is kept: a decided one before an undecided one, then the first in the order of their texts.
 *
 * @throws CertError `bad-data` for results that contradict each other, or are of different inputs
 */
export function moreDecided<T extends { readonly result: StoredResult; readonly file: string }>(a: T, b: T): T {
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
  const summaries = await Promise.all(files.map((file) => recordIn(summaryFileOf(file))));
  const texts = (key: 'device' | 'deviceDescription') =>
    [...new Set(summaries.map((summary) => summary[key]).filter((text) => typeof text === 'string'))].sort().join(', ');
  const stageSeconds: { [stage: string]: number } = {};
  for (const summary of summaries) {
    for (const [stage, own] of Object.entries(recordOf(summary.stageSeconds))) {
      if (typeof own === 'number') stageSeconds[stage] = (stageSeconds[stage] ?? 0) + own;
    }
  }
  const seconds = summaries.reduce((sum, { seconds: own }) => sum + (typeof own === 'number' ? own : 0), 0);
  return { device: texts('device'), deviceDescription: texts('deviceDescription'), seconds, stageSeconds };
}

type Fields = { readonly [name: string]: unknown };

const recordOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? { ...value } : {});

/** The values of a JSON file; none where it is missing or damaged. */
const recordIn = (file: string): Promise<Fields> =>
  readFile(file, 'utf8').then(
    (text) => {
      try {
        return recordOf(parseJson(text));
      } catch {
        return {};
      }
    },
    () => ({}),
  );

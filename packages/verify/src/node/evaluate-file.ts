import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RuleTable } from '@cert/bounds';
import { CertError, type HostParams, type Model, type Perturbation, type Tensor, UNIT_BALL } from '@cert/core';
import { imagesOf, type Split } from '@cert/datasets';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { lockFile, makeFolder, writeFileAtomic } from '@cert/models/node';
import type { Attack } from '../attack/attack.js';
import type { CertificateEvidence } from '../certificate.js';
import { certify } from '../images/certify.js';
import type { CertifyOptions, IndexedImage } from '../images/certify-options.js';
import { countResults, type EvaluationCounts } from '../images/count.js';
import type { ImageResult } from '../images/result.js';
import type { Verifier } from '../verifier.js';
import { type CertificateWriter, certificateWriter } from './certificates.js';
import { appendResult, type EvaluationSettings, openEvaluationFile, perturbationSetting } from './file.js';
import { inputHash, splitHash } from './input-hash.js';
import { type Shard, shardMembers } from './shard.js';

/** Options of {@link evaluateImages}. */
export interface EvaluateImagesOptions {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: HostParams;
  /** Its running statistics. */
  readonly stats: HostParams;
  /** The images; images with a line in the file are skipped. */
  readonly split: Split;
  /** The set around each image, whose radius `settings.epsilon` replaces; default: an l-infinity ball, clipped to [0, 1]. */
  readonly perturbation?: Perturbation;
  /** The plain forward pass; default: the rules of the built-in ops. */
  readonly natural?: RuleTable<Tensor>;
  /** What is computed: the first line of the file. */
  readonly settings: EvaluationSettings;
  /** The methods that the settings name, in the same order. */
  readonly verifiers: readonly Verifier[];
  /** The attacks that the settings name one by one, in the same order; default none, for PGD or no attack. */
  readonly attacks?: readonly Attack[] | undefined;
  /** Images in a batch of what is cheap and of the attack. */
  readonly batchSize: number;
  /** The file of the lines. Its name ends in `.jsonl`; the summary gets the same name with `.json`. */
  readonly file: string;
  /** Write a certificate for every verified image into this folder; default none. `checkpoint` holds the bytes of the network's file. */
  readonly certificates?: { readonly folder: string; readonly checkpoint: Uint8Array } | undefined;
  /** Evaluate only these images; default all. `mergeEvaluations` merges the files of all shards. */
  readonly shard?: Shard | undefined;
  /** Discard the content of the file; default false. */
  readonly overwrite?: boolean;
  /** Called when a line has been written; `before` are the images of which there was one in the beginning. */
  readonly onProgress?: (progress: EvaluationProgress) => void;
  /** If aborted, the current computation is finished and the evaluation rejects with the reason of the signal. */
  readonly signal?: AbortSignal;
}

/** Progress of an evaluation. */
export interface EvaluationProgress {
  /** Images that have a line. */
  readonly images: number;
  /** Total number of images. */
  readonly of: number;
  /** Images that had a line in the beginning. */
  readonly before: number;
  /** Number of damaged lines, reported once at the start; their images are evaluated again. */
  readonly damaged?: number;
}

/** The JSON file beside the lines. */
export interface EvaluationSummary extends EvaluationCounts {
  /** What was computed. */
  readonly settings: EvaluationSettings;
  /** The name of the device. */
  readonly device: string;
  /** Actual hardware and runtime of the device. */
  readonly deviceDescription: string;
  /** Images of which there was a line in the beginning. */
  readonly before: number;
  /** Seconds for the others. */
  readonly seconds: number;
  /** Of these, in each stage: `natural`, the methods and the attacks. */
  readonly stageSeconds: { readonly [stage: string]: number };
  /** Certificates in their folder; only where they were asked for. */
  readonly certificates?: number;
  /** For a regression: the mean of |f - y|, in the units of the label; null where a prediction is not finite. */
  readonly absoluteError?: number | null;
}

/**
 * Evaluates images, writes one line per image and returns the summary. Can be stopped at any time: images with a line are done.
 *
 * @throws CertError `run-exists` if the file was started with another checkpoint or other settings, `in-use` if another process is using
 * it, `bad-file` if it cannot be read or written or has a line with a different label, `bad-argument` if the settings do not match the
 * given attacks, and the errors of {@link certify}
 */
export async function evaluateImages(options: EvaluateImagesOptions): Promise<EvaluationSummary> {
  const { file } = options;
  checkAttacks(options);
  await makeFolder(dirname(file));
  const unlock = await lockFile(`${file}.lock`, `The evaluation ${file}`);
  try {
    return await evaluateLocked(options);
  } finally {
    await unlock();
  }
}

async function evaluateLocked(options: EvaluateImagesOptions): Promise<EvaluationSummary> {
  const { device, model, split, verifiers, file, overwrite, onProgress, signal } = options;
  const settings = completed(options);
  const perturbation = perturbationOf(options);
  const started = performance.now();
  const opened = await openEvaluationFile(file, settings, {
    ...{ labels: split.labels, inputOf: (index: number) => inputHash(split, index) },
    ...(overwrite && { overwrite }),
  });
  const { shard } = settings;
  const members = shard && new Set(shardMembers(split.count, shard));
  if (members?.size === 0) throw emptyShard(shard!);
  const results = opened.results.filter(({ index }) => members?.has(index) ?? true);
  const writer = await writerOf(options);
  let certificates = 0;
  const summaryFile = summaryFileOf(file);
  await rm(summaryFile, { force: true });
  const [before, of] = [results.length, members?.size ?? split.count];
  onProgress?.({ images: before, of, before, damaged: opened.damaged });
  const weights = { params: putParams(device, options.params), stats: putParams(device, options.stats) };
  // The same for every shard and after an interruption: float32 sums depend on it in their last digits.
  const batchSize = Math.max(1, Math.min(options.batchSize, split.count));
  const found = new Map<number, CertificateEvidence>();
  const stageSeconds: { [stage: string]: number } = {};
  const setting = {
    ...{ device, model, weights, signal, perturbation, arithmetic: settings.arithmetic },
    natural: options.natural,
    onEvidence: (index: number, _: string, evidence: CertificateEvidence) => void found.set(index, evidence),
  };
  try {
    if (writer !== undefined) certificates += await certifyAgain(writer, results, { ...setting, split, found });
    const stream = certify({
      ...{ ...setting, verifiers, batchSize, attacks: options.attacks, complete: settings.complete },
      attack: settings.attack === null || 'attacks' in settings.attack ? null : settings.attack,
      images: remaining(split, new Set(results.map(({ index }) => index)), members),
      onTime(stage, seconds) {
        stageSeconds[stage] = (stageSeconds[stage] ?? 0) + seconds;
      },
    });
    for await (const result of stream) {
      await appendResult(file, { ...result, input: inputHash(split, result.index) });
      results.push(result);
      if (await writer?.write(result, found.get(result.index))) certificates++;
      found.delete(result.index);
      onProgress?.({ images: results.length, of, before });
    }
  } finally {
    disposeTree(weights);
  }
  const summary: EvaluationSummary = {
    settings,
    ...countResults(results, settings),
    ...{ device: device.name, deviceDescription: device.description },
    ...{ before, seconds: (performance.now() - started) / 1000, stageSeconds },
    ...(writer && { certificates }),
    ...(settings.delta !== undefined && { absoluteError: meanError(results, settings.delta) }),
  };
  await writeFileAtomic(summaryFile, `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}

/** The mean of |f - y|, of which margins are 1 - |f - y| / delta. */
function meanError(results: readonly ImageResult[], delta: number): number | null {
  const errors = results.map(({ margin }) => (margin === null ? Number.NaN : delta * (1 - margin)));
  const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
  return Number.isFinite(mean) ? mean : null;
}

/** What {@link certifyAgain} searches with. */
interface SearchAgain
  extends Pick<CertifyOptions, 'device' | 'model' | 'weights' | 'perturbation' | 'natural' | 'arithmetic' | 'signal'> {
  readonly onEvidence: NonNullable<CertifyOptions['onEvidence']>;
  readonly split: Split;
  /** Where `onEvidence` puts what is found. */
  readonly found: Map<number, CertificateEvidence>;
}

/**
 * Writes the certificates of results that a file already had. What a search has found does not stand there: where its certificate is not in the
 * folder, it searches again.
 *
 * @returns how many there are
 */
async function certifyAgain(
  writer: CertificateWriter,
  results: readonly ImageResult[],
  { split, found, ...setting }: SearchAgain,
): Promise<number> {
  let count = 0;
  const lost = new Map<Verifier, ImageResult[]>();
  for (const result of results) {
    const there = await writer.resume(result);
    if (there === true) count++;
    else if (there !== false) lost.set(there, [...(lost.get(there) ?? []), result]);
  }
  for (const [verifier, own] of lost) {
    const images = own.map(({ index }) => imageAt(split, index));
    for await (const { index } of certify({ ...setting, images, verifiers: [verifier], attack: null, batchSize: 1 })) {
      const evidence = found.get(index);
      found.delete(index);
      const result = own.find((one) => one.index === index)!;
      if (evidence !== undefined && (await writer.write(result, evidence))) count++;
    }
  }
  return count;
}

/** @throws CertError `bad-argument` when other attacks would be run than the file says */
function checkAttacks({ settings: { attack }, attacks = [] }: EvaluateImagesOptions): void {
  const named = attack !== null && 'attacks' in attack ? attack.attacks : [];
  const given = attacks.map(({ name }) => name);
  if (JSON.stringify(named) === JSON.stringify(given)) return;
  throw new CertError(
    'bad-argument',
    `The settings of the evaluation name the attacks [${named.join(', ')}], but [${given.join(', ')}] were given.`,
    'Give settings.attack = { name, attacks: attacks.map(({ name }) => name), seed } with the attacks, in the same order.',
  );
}

async function writerOf(options: EvaluateImagesOptions) {
  const { certificates, model, split, settings, verifiers } = options;
  if (certificates === undefined) return undefined;
  return certificateWriter({
    ...certificates,
    model,
    split,
    settings,
    verifiers,
    perturbation: perturbationOf(options),
  });
}

/** The set at the radius of the evaluation. */
const perturbationOf = ({ perturbation = UNIT_BALL, settings: { epsilon } }: EvaluateImagesOptions): Perturbation => ({
  ...perturbation,
  epsilon,
});

/** The settings with the set, where it is not the usual one, and with the number of images of which a shard is a part. */
function completed({ settings, shard, split, perturbation = UNIT_BALL }: EvaluateImagesOptions): EvaluationSettings {
  const set = perturbationSetting(perturbation);
  return {
    ...settings,
    ...(set !== undefined && { perturbation: set }),
    ...(shard !== undefined && {
      shard: { index: shard.index, of: shard.of, images: split.count, data: splitHash(split) },
    }),
  };
}

const emptyShard = ({ index, of, images }: NonNullable<EvaluationSettings['shard']>) =>
  new CertError(
    'bad-argument',
    `Shard ${index}/${of} is empty: there are ${images} images.`,
    'Choose at most as many shards as there are images.',
  );

/** Where the summary of an evaluation is. */
export const summaryFileOf = (file: string): string => file.replace(/\.jsonl$/, '.json');

function* remaining(split: Split, done: ReadonlySet<number>, members?: ReadonlySet<number>): Iterable<IndexedImage> {
  for (let index = 0; index < split.count; index++) {
    if (!done.has(index) && (members?.has(index) ?? true)) yield imageAt(split, index);
  }
}

function imageAt(split: Split, index: number): IndexedImage {
  const { images, labels } = imagesOf(split, [index]);
  return { index, label: labels[0]!, pixels: images };
}

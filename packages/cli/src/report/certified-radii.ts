import { dirname } from 'node:path';
import { imagesOf, type Split } from '@cert/datasets';
import { makeFolder } from '@cert/models/node';
import type { PointCertifier } from '@cert/verify';
import { type InputRadius, type RadiiSettings, radiiFile, readRadii, writeRadii } from './radii-file.js';

/** Milliseconds between two writes of what is done. */
const SAVED_EVERY = 10_000;

/** Options of {@link certifiedRadii}. */
export interface CertifiedRadiiOptions {
  /** The folder of the run: radii are kept in `radii`, for a later report of the same checkpoint and settings. */
  readonly folder: string;
  readonly split: Split;
  /** How many test inputs, the first ones. */
  readonly limit: number;
  readonly settings: RadiiSettings;
  /** The first radius to try. */
  readonly start: number;
  readonly certifier: PointCertifier;
  readonly onProgress: (done: number, of: number, before: number) => void;
  readonly signal: AbortSignal;
}

/**
 * The certified radii of the first test inputs, by bisection. Radii that an earlier call computed are read from the run's folder; when it is
 * stopped, what is done is kept.
 */
export async function certifiedRadii(options: CertifiedRadiiOptions): Promise<readonly InputRadius[]> {
  const { folder, split, settings, start, certifier, onProgress, signal } = options;
  const file = radiiFile(folder, settings);
  const limit = Math.min(options.limit, split.count);
  const known = await readRadii(file, settings);
  const rows = known.filter(({ index, label }) => split.labels[index] === label);
  if (rows.length < known.length) rows.length = 0;
  const before = Math.min(rows.length, limit);
  if (before === limit) return rows.slice(0, limit);
  await makeFolder(dirname(file));
  let saved = performance.now();
  onProgress(before, limit, before);
  try {
    while (rows.length < limit) {
      signal.throwIfAborted();
      rows.push(await radiusOf(rows.length, split, { certifier, settings, start }));
      onProgress(rows.length, limit, before);
      if (performance.now() - saved < SAVED_EVERY) continue;
      await writeRadii(file, settings, rows);
      saved = performance.now();
    }
  } finally {
    if (rows.length > before) await writeRadii(file, settings, rows);
  }
  return rows;
}

async function radiusOf(
  index: number,
  split: Split,
  { certifier, settings, start }: Pick<CertifiedRadiiOptions, 'certifier' | 'settings' | 'start'>,
): Promise<InputRadius> {
  const { images: pixels, labels } = imagesOf(split, [index]);
  const label = labels[0]!;
  const { prediction, correct } = classify(await certifier.logits(pixels), label);
  if (!correct) return { index, label, prediction, correct, radius: 0, verifiedBy: null, unverified: null };
  const { tolerance } = settings;
  const found = await certifier.radius({ pixels, label }, { tolerance, ...(start > 0 && { start }) });
  return { index, label, prediction, correct, ...found };
}

/** The class of the largest logit, and whether it is the label: a tie and a logit that is not finite are errors. */
export function classify(
  logits: ArrayLike<number>,
  label: number,
): { readonly prediction: number | null; readonly correct: boolean } {
  const values = Array.from(logits);
  if (!values.every(Number.isFinite)) return { prediction: null, correct: false };
  const prediction = values.indexOf(Math.max(...values));
  return { prediction, correct: values.every((value, i) => i === label || value < values[label]!) };
}

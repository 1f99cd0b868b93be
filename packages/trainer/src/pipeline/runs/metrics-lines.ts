import { readFile } from 'node:fs/promises';
import { CertError, parseJson } from '@cert/core';
import { appendText, writeFileAtomic } from '@cert/models/node';
import type { ReluShares, ReluStates } from '@cert/verify';
import { runFiles } from './folder.js';

/** A line of `metrics.jsonl`. */
export interface MetricsLine {
  /** Line after every N steps, or after an epoch. */
  readonly type: 'step' | 'epoch';
  /** Number of steps at the time of writing. */
  readonly step: number;
  /** After an epoch: counts of active, unstable and inactive neurons. Missing in runs of older versions. */
  readonly relu?: ReluStates;
  readonly [field: string]: string | number | null | undefined | ReluStates;
}

/** The images that epochs of a run are tested on: the test split, or the validation part of the training split. */
export type MonitoredName = 'test' | 'validation';

/** Errors after an epoch, fractions of the images that the epoch was tested on. */
export interface EpochErrors {
  /** The images. */
  readonly monitored: MonitoredName;
  /** Misclassified without perturbation. */
  readonly standardError: number;
  /** Not verified, at the radius of the epoch. */
  readonly verifiedError: number;
  /** For a regression: the mean absolute error, in the units of the label. */
  readonly absoluteError?: number | null | undefined;
  /** For a regression: the mean of the largest absolute errors over the perturbation set. */
  readonly verifiedAbsoluteError?: number | null | undefined;
}

/** Returns the errors as fields of a line: `testError` and `testVerifiedError`, or `validationError` and `validationVerifiedError`. */
export const errorFields = ({ monitored, standardError, verifiedError, ...absolute }: EpochErrors) => ({
  [`${monitored}Error`]: standardError,
  [`${monitored}VerifiedError`]: verifiedError,
  ...(absolute.absoluteError !== undefined && {
    [`${monitored}AbsoluteError`]: absolute.absoluteError,
    [`${monitored}VerifiedAbsoluteError`]: absolute.verifiedAbsoluteError,
  }),
});

/** Returns the errors of a line; undefined for a line of a step, or without errors. */
export function epochErrorsOf(line: MetricsLine): EpochErrors | undefined {
  for (const monitored of ['test', 'validation'] as const) {
    const [standardError, verifiedError] = [line[`${monitored}Error`], line[`${monitored}VerifiedError`]];
    if (typeof standardError === 'number' && typeof verifiedError === 'number') {
      const [absoluteError, verifiedAbsoluteError] = ['AbsoluteError', 'VerifiedAbsoluteError'].map((name) => {
        const value = line[`${monitored}${name}`];
        return typeof value === 'number' ? value : null;
      });
      return { monitored, standardError, verifiedError, absoluteError, verifiedAbsoluteError };
    }
  }
  return undefined;
}

/** What {@link readMetricsLines} found. */
export interface ReadMetrics {
  /** Valid lines, in order. */
  readonly lines: readonly MetricsLine[];
  /** Number of damaged lines, which are skipped. A truncated last line does not count. */
  readonly damaged: number;
}

/** Adds a line to `metrics.jsonl`. @throws CertError `bad-file` when it cannot be written */
export const appendMetrics = (folder: string, line: MetricsLine): Promise<void> =>
  appendText(runFiles(folder).metrics, `${JSON.stringify(line)}\n`);

/**
 * Reads the lines of `metrics.jsonl`; returns no lines if the file is missing.
 *
 * @throws CertError `bad-file` when it cannot be read
 */
export async function readMetricsLines(folder: string): Promise<ReadMetrics> {
  const { metrics } = runFiles(folder);
  const text = await readFile(metrics, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '';
    throw new CertError(
      'bad-file',
      `${metrics} cannot be read: ${cause.message}.`,
      'Restore the file, or move it away.',
      {
        cause,
      },
    );
  });
  const texts = text.split('\n').slice(0, -1);
  const lines = texts.map(parseLine).filter((line) => line !== undefined);
  return { lines, damaged: texts.length - lines.length };
}

/**
 * Cuts `metrics.jsonl` back to a step, so that the lines of steps that are done again do not appear twice. Damaged lines go too, and a last
 * one that was cut short when the process died.
 *
 * @returns how many lines were damaged
 */
export async function cutMetrics(folder: string, step: number): Promise<number> {
  const { lines, damaged } = await readMetricsLines(folder);
  const kept = lines.filter((line) => line.step <= step);
  await writeFileAtomic(runFiles(folder).metrics, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return damaged;
}

/** The value of a line; undefined for one that {@link appendMetrics} cannot have written. */
function parseLine(text: string): MetricsLine | undefined {
  try {
    const value = parseJson(text);
    return isMetricsLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least;
const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isMetricsLine(value: unknown): value is MetricsLine {
  if (!isRecord(value)) return false;
  const { type, step, relu, ...fields } = value;
  if ((type !== 'step' && type !== 'epoch') || !isCount(step, 0)) return false;
  if (type === 'epoch' && (!isCount(fields.epoch, 1) || typeof fields.epsilon !== 'number')) return false;
  if (relu !== undefined && !isReluStates(relu)) return false;
  return Object.values(fields).every((field) => field === null || typeof field === 'string' || Number.isFinite(field));
}

function isReluStates(value: unknown): value is ReluStates {
  const { images, layers } = isRecord(value) ? value : {};
  return isCount(images, 1) && isRecord(layers) && Object.values(layers).every(isShares);
}

/** How far the shares of a layer may be from adding up to 1: they are sums of float32. */
const SLACK = 1e-3;

function isShares(value: unknown): value is ReluShares {
  const { active, inactive, unstable } = isRecord(value) ? value : {};
  const shares = [active, inactive, unstable];
  if (!shares.every((share): share is number => typeof share === 'number' && share >= 0 && share <= 1)) return false;
  return Math.abs(shares.reduce((a, b) => a + b, 0) - 1) <= SLACK;
}

import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { CertError, parseJson } from '@cert/core';
import {
  epochErrorsOf,
  readMetricsLines,
  readRunConfig,
  readRunPlugins,
  runFiles,
  runOwner,
} from '@cert/trainer/pipeline';

/** A value of JSON. */
type Fields = { readonly [name: string]: unknown };

/** What the folder of a run says. Plain data; errors are fractions of the test images, or of the
 * validation images of an unfinished run. */
export interface RunRecord {
  readonly folder: string;
  readonly name: string;
  /** Its `config.json`; null where it is damaged. */
  readonly config: RunSettings | null;
  /** In training: another process works on it. */
  readonly state: 'finished' | 'unfinished' | 'in training' | 'damaged';
  /** What is wrong, where it is damaged. */
  readonly problem?: string;
  /** Epochs done. */
  readonly epoch: number;
  readonly errors: RunErrors;
  readonly trainSeconds: number | null;
  /** When something was written last, as an ISO date. */
  readonly date: string;
}

/** Settings that every run has; the others are there under their names. */
export interface RunSettings extends Fields {
  readonly preset: string;
  readonly method: string;
  readonly epsilon: number;
  readonly epochs: number;
  readonly seed: number;
}

/** What came out; null what is not known. Before a run has finished, errors of its last epoch where that had the full radius. */
interface RunErrors {
  /** Where the errors are those of the validation images of an unfinished run. */
  readonly of?: 'validation';
  readonly images: number | null;
  readonly standardError: number | null;
  readonly pgdError: number | null;
  readonly verifiedError: number | null;
  /** For a regression: means of absolute errors, in the units of the label. */
  readonly absoluteError: number | null;
  readonly verifiedAbsoluteError: number | null;
}

const NO_ERRORS: RunErrors = {
  ...{ images: null, standardError: null, pgdError: null, verifiedError: null },
  ...{ absoluteError: null, verifiedAbsoluteError: null },
};

/** Folders within a folder that are looked through for runs. */
const DEPTH = 3;

/**
 * The runs in a folder and in folders inside of it, in the order of their dates.
 *
 * @throws CertError `bad-file` when it cannot be read
 */
export async function findRuns(folder: string): Promise<readonly RunRecord[]> {
  const paths = await runFolders(folder, DEPTH);
  const runs = await Promise.all(
    paths.map(async (path) => ({ ...(await readRun(path)), name: relative(folder, path) || basename(path) })),
  );
  const key = ({ date, folder }: RunRecord) => `${date} ${folder}`;
  return runs.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

async function runFolders(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    const problems: { readonly [code: string]: string } = {
      ENOENT: `The folder ${folder} does not exist.`,
      ENOTDIR: `${folder} is a file, not the folder of a run.`,
    };
    throw new CertError(
      'bad-file',
      problems[cause.code ?? ''] ?? `${folder} cannot be read: ${cause.message}.`,
      'Check the path. By default, cert train writes runs to the folder "runs".',
      { cause },
    );
  });
  const has = (name: string) => entries.some((entry) => entry.name === name);
  if (has('config.json') || has('metrics.jsonl') || has('run.lock')) return [folder];
  if (depth === 0) return [];
  const inside = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  return (await Promise.all(inside.map((path) => runFolders(path, depth - 1)))).flat();
}

/** What a folder of a run says. What is wrong with it is a part of the answer. */
export async function readRun(folder: string): Promise<RunRecord> {
  const files = runFiles(folder);
  const dates = [files.config, files.metrics, files.summary, folder].map((file) =>
    stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  // That of the folder counts for one without files alone: an evaluation changes it.
  const [config = 0, metrics = 0, summary = 0, own = 0] = await Promise.all(dates);
  const date = new Date(Math.max(config, metrics, summary) || own).toISOString();
  const blank = { folder, name: basename(folder), date, epoch: 0, errors: NO_ERRORS, trainSeconds: null };
  try {
    const config = await readSettings(folder);
    const locked = (await runOwner(folder)) !== undefined;
    const { epoch, trainSeconds, errors } = await lastEpoch(folder, config);
    const run = { ...blank, config, epoch, trainSeconds, errors };
    if (locked) return { ...run, state: 'in training' };
    if (!existsSync(files.last)) throw damaged(`${files.last} is missing`);
    if (!existsSync(files.summary)) return { ...run, state: 'unfinished' };
    return { ...run, ...(await readSummary(files.summary)), state: 'finished' };
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    const config = await readSettings(folder).catch(() => null);
    return { ...blank, config, state: 'damaged', problem: error.problem };
  }
}

const damaged = (problem: string) =>
  new CertError('bad-file', `${problem}.`, 'Restore the file, or start the run again.');

/** The configuration. That of a run with plug-ins, which are not loaded here, is checked as far as it can be without them. */
async function readSettings(folder: string): Promise<RunSettings> {
  const plugins = await readRunPlugins(folder);
  if (plugins.length === 0) return { ...(await readRunConfig(folder)) };
  const { config } = runFiles(folder);
  const settings = parseJson(await readFile(config, 'utf8'));
  if (isSettings(settings)) return settings;
  throw damaged(`${config} lacks a setting that every run has`);
}

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSettings = (value: unknown): value is RunSettings =>
  isRecord(value) &&
  ['preset', 'method'].every((name) => typeof value[name] === 'string') &&
  ['epsilon', 'epochs', 'seed'].every((name) => Number.isFinite(value[name]));

const numberIn = (fields: Fields, name: string): number | null => {
  const value = fields[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
};

async function lastEpoch(folder: string, { epsilon }: RunSettings) {
  const { lines } = await readMetricsLines(folder);
  const last = lines.findLast(({ type }) => type === 'epoch');
  if (last === undefined) return { epoch: 0, trainSeconds: null, errors: NO_ERRORS };
  const comparable = last.epsilon === epsilon;
  const found = epochErrorsOf(last);
  return {
    epoch: numberIn(last, 'epoch') ?? 0,
    trainSeconds: numberIn(last, 'trainSeconds'),
    errors: {
      images: null,
      standardError: found?.standardError ?? null,
      pgdError: null,
      verifiedError: comparable ? (found?.verifiedError ?? null) : null,
      absoluteError: found?.absoluteError ?? null,
      verifiedAbsoluteError: comparable ? (found?.verifiedAbsoluteError ?? null) : null,
      ...(found?.monitored === 'validation' && { of: found.monitored }),
    },
  };
}

const isFraction = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;

/** Whether values are errors of images that do not contradict each other: what is misclassified is not verified, and what is broken neither. */
export function areErrors({ images, standardError, pgdError, verifiedError }: Fields): boolean {
  if (!Number.isSafeInteger(images) || Number(images) < 1) return false;
  if (!isFraction(standardError) || !isFraction(verifiedError)) return false;
  const broken = pgdError === null ? standardError : pgdError;
  return isFraction(broken) && standardError <= broken && broken <= verifiedError;
}

async function readSummary(file: string): Promise<Pick<RunRecord, 'errors' | 'trainSeconds' | 'epoch'>> {
  let value: unknown;
  try {
    value = parseJson(await readFile(file, 'utf8'));
  } catch (cause) {
    throw damaged(`${file} is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  const fields = isRecord(value) ? value : {};
  const [images, standardError, verifiedError] = ['images', 'standardError', 'verifiedError'].map((name) =>
    numberIn(fields, name),
  );
  const [epoch, trainSeconds] = [numberIn(fields, 'epochs'), numberIn(fields, 'trainSeconds')];
  if (images == null || standardError == null || verifiedError == null || epoch === null) {
    throw damaged(`${file} lacks the errors of the run`);
  }
  const errors = { images, standardError, verifiedError, pgdError: numberIn(fields, 'pgdError') };
  if (!areErrors(errors)) throw damaged(`${file} has errors that contradict each other`);
  return {
    errors: {
      ...errors,
      absoluteError: numberIn(fields, 'absoluteError'),
      verifiedAbsoluteError: numberIn(fields, 'verifiedAbsoluteError'),
    },
    trainSeconds,
    epoch,
  };
}

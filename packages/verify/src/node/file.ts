import { readFile, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError, parseJson } from '@cert/core';
import { appendText, makeFolder, writeFileAtomic } from '@cert/models/node';
import type { ImageResult } from '../images/result.js';
import { differingSetting, type EvaluationSettings, isResultOf, isSettings, type StoredResult } from './settings.js';

/** The version of the layout of the file; stored in its first line. */
const FORMAT = 'cert-evaluation-1';

/** What {@link openEvaluationFile} found. */
export interface OpenedEvaluation {
  /** The images that are there, in the order of their indices. */
  readonly results: readonly ImageResult[];
  /** Lines that were no result: dropped from the file. Their images are evaluated again. */
  readonly damaged: number;
}

/** Options of {@link openEvaluationFile}. */
export interface OpenOptions {
  /** Labels of the test images, by index. */
  readonly labels: ArrayLike<number>;
  /** Hash of the values of a test image (`inputHash`): lines without one are evaluated again. Default: values are not compared. */
  readonly inputOf?: (index: number) => string;
  /** Discard the content of the file; default false. */
  readonly overwrite?: boolean;
}

/**
 * Opens the JSONL file of an evaluation, new or to be continued: a first line with the settings, then a line per image in the order
 * in which they were settled. Lines are not trusted: one that is damaged, or whose parts contradict each other or the settings, is dropped,
 * and so are all lines of an image that has several. A last line that was cut short when the process died is dropped without being counted. A
 * file without any image is begun anew, whatever its settings.
 *
 * @throws CertError `run-exists` when the file was begun with another checkpoint, version or other settings, naming the first difference;
 * `bad-file` naming a line of an image with another label or other values, or when the file cannot be read or written
 */
export async function openEvaluationFile(
  path: string,
  settings: EvaluationSettings,
  { labels, inputOf, overwrite = false }: OpenOptions,
): Promise<OpenedEvaluation> {
  const bytes = overwrite ? Buffer.alloc(0) : await readExisting(path);
  const end = bytes.lastIndexOf(LINE_FEED) + 1;
  const [header = '', ...lines] = linesOf(path, bytes);
  const found = (parseLine(header) ?? {}) as Header;
  // An evaluation that failed before its first result left nothing to lose.
  const isEmpty =
    end === 0 ? isCutHeader(bytes) : found.format === FORMAT && end === bytes.length && lines.length === 0;
  if (isEmpty) {
    await makeFolder(dirname(path));
    await writeFileAtomic(path, `${JSON.stringify({ format: FORMAT, ...settings })}\n`);
    return { results: [], damaged: 0 };
  }
  checkSettings(path, found, settings);
  const valid = validLines(lines, settings);
  for (const { result, number } of valid.kept) {
    const { index, label, input } = result;
    if (index >= labels.length) continue;
    if (labels[index] !== label) {
      throw badLine(
        path,
        number,
        `input ${index} has the label ${label} in the file but ${labels[index]} in the dataset`,
      );
    }
    if (inputOf !== undefined && input !== undefined && input !== inputOf(index)) {
      throw badLine(path, number, `input ${index} has other values in the dataset than when it was evaluated`);
    }
  }
  // From before lines knew their inputs.
  const kept = valid.kept.filter(({ result }) => inputOf === undefined || result.input !== undefined);
  const damaged = lines.length - kept.length;
  if (damaged > 0) await writeFileAtomic(path, [header, ...kept.map(({ line }) => line), ''].join('\n'));
  else if (end < bytes.length) await truncate(path, end);
  const inside = kept.map(({ result }) => result).filter(({ index }) => index < labels.length);
  return { results: inside.sort((x, y) => x.index - y.index), damaged };
}

/** A line of a file that is a result. */
interface ValidLine {
  readonly line: string;
  /** Of the line in its file, from 1. */
  readonly number: number;
  readonly result: StoredResult;
}

/** The lines that are results of an evaluation with these settings, in their order, and how many are not. */
function validLines(
  lines: readonly string[],
  settings: EvaluationSettings,
): { readonly kept: readonly ValidLine[]; readonly damaged: number } {
  const found: ValidLine[] = [];
  const times = new Map<unknown, number>();
  lines.forEach((line, i) => {
    const result = parseLine(line);
    const named = indexOf(result);
    times.set(named, (times.get(named) ?? 0) + 1);
    if (!isResultOf(result, settings)) return;
    found.push({ line, number: i + 2, result });
  });
  // Nobody can say which of several lines of an image is the right one, damaged ones included.
  const kept = found.filter(({ result }) => times.get(result.index) === 1);
  return { kept, damaged: lines.length - kept.length };
}

/** What {@link readEvaluationFile} found. */
export interface EvaluationLines {
  /** What the first line says. */
  readonly settings: EvaluationSettings;
  /** The images that are there, in the order of their indices. */
  readonly results: readonly StoredResult[];
  /** Lines that are no result. */
  readonly damaged: number;
}

/**
 * Reads the JSONL file of an evaluation without changing it. Damaged and contradictory lines are left out.
 *
 * @throws CertError `bad-file` when there is no such file, or when it is no evaluation
 */
export async function readEvaluationFile(path: string): Promise<EvaluationLines> {
  const bytes = await readExisting(path);
  if (bytes.length === 0) {
    throw new CertError(
      'bad-file',
      `${path} does not exist or is empty.`,
      'Give the .jsonl file that cert eval wrote.',
    );
  }
  const [header = '', ...lines] = linesOf(path, bytes);
  const { format, ...settings } = (parseLine(header) ?? {}) as { readonly [name: string]: unknown };
  if (format !== FORMAT || !isSettings(settings)) {
    throw new CertError(
      'bad-file',
      `${path} is not an evaluation file of the format ${FORMAT}.`,
      'Give the .jsonl file that cert eval wrote.',
    );
  }
  const { kept, damaged } = validLines(lines, settings);
  return { settings, results: kept.map(({ result }) => result).sort((x, y) => x.index - y.index), damaged };
}

/** The whole lines of a file. */
const linesOf = (path: string, bytes: Buffer): readonly string[] =>
  textOf(path, bytes.subarray(0, Math.max(0, bytes.lastIndexOf(LINE_FEED)))).split('\n');

/** Writes a whole evaluation, its lines in the given order. @throws CertError `bad-file` when it cannot be written */
export async function writeEvaluation(
  path: string,
  settings: EvaluationSettings,
  results: readonly StoredResult[],
): Promise<void> {
  await makeFolder(dirname(path));
  await writeFileAtomic(
    path,
    [{ format: FORMAT, ...settings }, ...results].map((line) => `${JSON.stringify(line)}\n`).join(''),
  );
}

/** Adds the line of an image. @throws CertError `bad-file` when it cannot be written */
export const appendResult = (path: string, result: StoredResult): Promise<void> =>
  appendText(path, `${JSON.stringify(result)}\n`);

const LINE_FEED = 0x0a;

async function readExisting(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return Buffer.alloc(0);
    throw unreadable(path, cause);
  }
}

function textOf(path: string, bytes: Buffer): string {
  try {
    return bytes.toString('utf8');
  } catch (cause) {
    // Longer than a string can be.
    throw unreadable(path, cause);
  }
}

const unreadable = (path: string, cause: unknown) =>
  new CertError('bad-file', `${path} cannot be read: ${reason(cause)}.`, 'Choose another file with --out.', { cause });

/** The image that a line says it is of, whatever else is wrong with it. */
const indexOf = (value: unknown): unknown => (value as Partial<ImageResult> | null | undefined)?.index;

const reason = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

/** Whether a file without any whole line is one that broke off in its first line; also one without any byte. */
function isCutHeader(bytes: Buffer): boolean {
  const start = JSON.stringify({ format: FORMAT }).slice(0, -1);
  const text = bytes.toString('utf8', 0, start.length);
  return start.startsWith(text);
}

/** The first line of a file, whoever wrote it. */
type Header = { readonly [name: string]: unknown };

/** The value of a line of JSON; `undefined` when it is none. */
function parseLine(line: string): unknown {
  try {
    return parseJson(line);
  } catch {
    return undefined;
  }
}

/** @throws CertError `bad-file` when a file has no such header, `run-exists` when it has another one */
function checkSettings(path: string, found: Header, settings: EvaluationSettings): void {
  if (found.format !== FORMAT) {
    throw new CertError(
      'bad-file',
      `${path} is not an evaluation file of the format ${FORMAT}.`,
      'Choose another file with --out, or discard its content with --overwrite.',
    );
  }
  const { format: _, ...before } = found;
  const difference = differingSetting(settings, before);
  if (difference === undefined) return;
  throw new CertError(
    'run-exists',
    `${path} was started with ${difference}.`,
    'Discard the earlier results with --overwrite, choose another file with --out, or continue with the original settings and version.',
  );
}

const badLine = (path: string, line: number, what: string) =>
  new CertError(
    'bad-file',
    `${path}: line ${line} is invalid: ${what}.`,
    'Give the dataset of the earlier evaluation, or discard the earlier results with --overwrite.',
  );

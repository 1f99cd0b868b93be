import { appendFile, readFile, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import { type ImageResult, isImageResult } from '../images/result.js';

/** What decides what the lines of an evaluation say: its first line. Plain data. */
export interface EvaluationSettings {
  /** SHA-256 of the checkpoint file. */
  readonly checkpoint: string;
  /** Whose test images are evaluated. */
  readonly dataset: string;
  /** The radius, in the units of the images. */
  readonly epsilon: number;
  /** The methods in the order in which they were tried. */
  readonly methods: readonly string[];
  /** The attack; null for none. */
  readonly attack: { readonly steps: number; readonly restarts: number; readonly seed: number } | null;
  /** Whether every method is run on every image, and the attack on every image that is classified rightly. */
  readonly complete: boolean;
}

/** The version of the layout of the file; stored in its first line. */
const FORMAT = 'cert-evaluation-1';

/** What {@link openEvaluationFile} found. */
export interface OpenedEvaluation {
  /** The images that are there, in the order of their indices. */
  readonly results: readonly ImageResult[];
  /** Lines that were no result: dropped from the file. Their images are evaluated again. */
  readonly damaged: number;
}

/**
 * Opens the JSONL file of an evaluation, new or to go on with: a first line with the settings, then a line per image in the order
 * in which they were settled. Lines are not trusted: one that is damaged, or whose parts contradict each other, is dropped. So is a last
 * line that was cut short when the process died, without being counted.
 *
 * @param labels those of the test images, by index
 * @param anew throw away what the file holds
 * @throws CertError `run-exists` when the file was begun with another checkpoint or other settings, naming the first difference;
 * `bad-file` naming a line of an image with another label, or when the file cannot be read or written
 */
export async function openEvaluationFile(
  path: string,
  settings: EvaluationSettings,
  { labels, anew = false }: { readonly labels: ArrayLike<number>; readonly anew?: boolean },
): Promise<OpenedEvaluation> {
  const text = anew ? '' : await readExisting(path);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole === '') {
    await makeFolder(dirname(path));
    await writeFileAtomic(path, `${JSON.stringify({ format: FORMAT, ...settings })}\n`);
    return { results: [], damaged: 0 };
  }
  const [header = '', ...lines] = whole.slice(0, -1).split('\n');
  checkSettings(path, parseLine(header), settings);
  const results = new Map<number, ImageResult>();
  const kept: string[] = [];
  lines.forEach((line, i) => {
    const result = parseLine(line);
    if (!isImageResult(result, settings.methods)) return;
    const { index, label } = result;
    if (index < labels.length && labels[index] !== label) {
      throw badLine(path, i + 2, `it gives image ${index} the label ${label}, and the dataset ${labels[index]}`);
    }
    results.set(index, result);
    kept.push(line);
  });
  const damaged = lines.length - kept.length;
  if (damaged > 0) await writeFileAtomic(path, [header, ...kept, ''].join('\n'));
  else if (whole.length < text.length) await truncate(path, Buffer.byteLength(whole));
  const inside = [...results.values()].filter(({ index }) => index < labels.length);
  return { results: inside.sort((x, y) => x.index - y.index), damaged };
}

/** Adds the line of an image. */
export async function appendResult(path: string, result: ImageResult): Promise<void> {
  await appendFile(path, `${JSON.stringify(result)}\n`);
}

async function readExisting(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
    throw new CertError('bad-file', `${path} cannot be read: ${reason(cause)}.`, 'Choose another file with --out.', {
      cause,
    });
  }
}

const reason = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

/** The value of a line of JSON; `undefined` when it is none. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** @throws CertError `bad-file` when a file has no such header, `run-exists` when it has another one */
function checkSettings(path: string, header: unknown, settings: EvaluationSettings): void {
  const found = (header ?? {}) as { readonly [name: string]: unknown };
  if (found.format !== FORMAT) {
    throw new CertError(
      'bad-file',
      `${path} does not begin as an evaluation of the format ${FORMAT}.`,
      'Choose another file with --out, or throw away what it holds with --anew.',
    );
  }
  for (const [name, now] of Object.entries(settings)) {
    const before = JSON.stringify(found[name]);
    if (before === JSON.stringify(now)) continue;
    const difference =
      name === 'checkpoint'
        ? 'another checkpoint: training has gone on since, or this is another run'
        : `${name} ${before}, not ${JSON.stringify(now)}`;
    throw new CertError(
      'run-exists',
      `${path} was begun with ${difference}.`,
      'Throw away what it holds with --anew, choose another file with --out, or give the settings that it was begun with.',
    );
  }
}

const badLine = (path: string, line: number, what: string) =>
  new CertError(
    'bad-file',
    `${path}: line ${line} is of no use: ${what}.`,
    'Give the dataset that the evaluation was begun with, or throw away what the file holds with --anew.',
  );

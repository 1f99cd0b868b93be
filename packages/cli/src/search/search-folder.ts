import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError, describeValue, parseJson } from '@cert/core';
import { appendText, lockFile, makeFolder, writeFileAtomic } from '@cert/models/node';
import type { RunConfig } from '@cert/trainer/pipeline';
import { isRecord, type Values } from '../commands/config-file.js';
import { type Distribution, same } from './distribution.js';
import type { Result, Trial } from './trial.js';

/** The files of a search. */
export const searchFiles = (folder: string) => ({
  settings: join(folder, 'search.json'),
  lines: join(folder, 'trials.jsonl'),
  lock: join(folder, 'search.lock'),
  trials: join(folder, 'trials'),
  best: join(folder, 'best.json'),
  front: join(folder, 'front.json'),
  figure: join(folder, 'front.svg'),
});

/** The run folder of a trial. */
export const trialFolder = (folder: string, trial: number): string =>
  join(searchFiles(folder).trials, String(trial).padStart(4, '0'));

/** What decides which trials a search has. Plain data, `search.json`. */
export interface SearchSettings {
  /** `random`, `asha`, `nsga2`, or `ask-tell` where another program samples. */
  readonly sampler: string;
  readonly seed: number;
  /** Weight of the standard error in the score. */
  readonly weight: number;
  /** Of `asha`: epochs at which trials are compared, and the share that is promoted. */
  readonly rungs?: readonly number[];
  readonly eta?: number;
  /** Of `nsga2`: trials of a generation. */
  readonly population?: number;
  readonly space: { readonly base: RunConfig; readonly search: { readonly [field: string]: Distribution } };
}

/** A line of `trials.jsonl`. */
type Line =
  | { readonly type: 'start'; readonly trial: number; readonly values: Values; readonly epochs: number }
  | ({ readonly type: 'result'; readonly trial: number } & Result)
  | { readonly type: 'failed'; readonly trial: number; readonly problem: string };

/** A search folder that this process works on. */
export interface SearchFolder {
  readonly folder: string;
  /** Tells apart searches, whatever their folders are called: 12 hexadecimal digits. */
  readonly id: string;
  /** The trials so far, by their numbers. */
  trials(): readonly Trial[];
  /** Adds a line, on the disk first. */
  append(line: Line): Promise<void>;
  /** Gives the folder back. */
  close(): Promise<void>;
}

/**
 * Opens the folder of a search, or makes it.
 *
 * @throws CertError `run-exists` where it has another search, naming what differs, or something else; `bad-file` where it cannot be read or written;
 * `in-use` where another process works on it
 */
export async function openSearchFolder(folder: string, settings: SearchSettings): Promise<SearchFolder> {
  const files = searchFiles(folder);
  await makeFolder(files.trials);
  const unlock = await lockFile(files.lock, `The search ${folder}`);
  try {
    if (existsSync(files.settings)) checkSame(folder, settings, await readSettingsFile(files.settings));
    else await writeFileAtomic(files.settings, `${JSON.stringify(settings, null, 2)}\n`);
    const { lines, cut } = await readLines(files.lines);
    if (cut) await writeFileAtomic(files.lines, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const id = createHash('sha256')
      .update(JSON.stringify(identity(settings)))
      .digest('hex')
      .slice(0, 12);
    return {
      ...{ folder, id },
      trials: () => trialsOf(lines),
      async append(line) {
        await appendText(files.lines, `${JSON.stringify(line)}\n`);
        lines.push(line);
      },
      close: unlock,
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Fields of the base that change nothing of what is computed. */
const MOVABLE: readonly string[] = ['data', 'device', 'plugins', 'checkpointMinutes'];

/** The settings that must be the same, each under the name that people know it by. */
function identity({ space, ...settings }: SearchSettings): Values {
  const { options, ...fields } = space.base;
  const base = Object.entries({ ...fields, ...options }).filter(([name]) => !MOVABLE.includes(name));
  const named = (place: string, entries: readonly (readonly [string, unknown])[]) =>
    Object.fromEntries(entries.map(([name, value]) => [`"${name}" in "${place}"`, value] as const));
  return {
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`--${name}`, value] as const)),
    ...named('base', base),
    ...named('search', Object.entries(space.search)),
  };
}

function checkSame(folder: string, asked: SearchSettings, began: SearchSettings): void {
  const [now, before] = [identity(asked), identity(began)];
  const name = [...new Set([...Object.keys(before), ...Object.keys(now)])].find(
    (each) => !same(now[each], before[each]),
  );
  if (name === undefined) return;
  const text = (value: unknown) => (value === undefined ? 'missing' : describeValue(value));
  throw new CertError(
    'run-exists',
    `${folder} contains another search: ${name} was ${text(before[name])}, and is now ${text(now[name])}.`,
    'Choose another folder with --out, or give the settings that the search began with.',
  );
}

async function readSettingsFile(file: string): Promise<SearchSettings> {
  const fail = (reason: string, cause?: unknown) =>
    new CertError(
      'bad-file',
      `${file} is damaged: ${reason}.`,
      'Restore the file, or choose another folder with --out.',
      {
        cause,
      },
    );
  const value = await readFile(file, 'utf8')
    .then(parseJson)
    .catch((cause: unknown) => {
      throw fail(cause instanceof Error ? cause.message : String(cause), cause);
    });
  if (isSettings(value)) return value;
  throw fail('it lacks the settings of a search');
}

const isSettings = (value: unknown): value is SearchSettings =>
  isRecord(value) && isRecord(value.space) && isRecord(value.space.base) && isRecord(value.space.search);

/** The lines of a file that is missing are none. One that was cut short when the process died, the last one, is left out. */
async function readLines(file: string): Promise<{ readonly lines: Line[]; readonly cut: boolean }> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '';
    throw new CertError('bad-file', `${file} cannot be read: ${cause.message}.`, 'Restore the file.', { cause });
  });
  const texts = text.split('\n');
  const rest = texts.pop();
  const lines = texts.map((each, i) => {
    const line = lineOf(each);
    if (line !== undefined) return line;
    throw new CertError(
      'bad-file',
      `${file}, line ${i + 1}: this is no line of a search: ${describeValue(each)}.`,
      'Restore the file, or choose another folder with --out.',
    );
  });
  return { lines, cut: rest !== '' };
}

function lineOf(text: string): Line | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  return isLine(value) ? value : undefined;
}

function isLine(value: unknown): value is Line {
  if (!isRecord(value) || !Number.isSafeInteger(value.trial)) return false;
  const share = (each: unknown) => typeof each === 'number' && each >= 0 && each <= 1;
  if (value.type === 'start') return isRecord(value.values) && Number.isSafeInteger(value.epochs);
  if (value.type === 'failed') return typeof value.problem === 'string';
  return (
    value.type === 'result' &&
    Number.isSafeInteger(value.epochs) &&
    share(value.standardError) &&
    share(value.verifiedError) &&
    Number.isFinite(value.trainSeconds)
  );
}

/** What the lines come to. */
function trialsOf(lines: readonly Line[]): readonly Trial[] {
  const trials: Trial[] = [];
  for (const line of lines) {
    const known = trials[line.trial];
    if (line.type === 'start') {
      const { trial, values, epochs } = line;
      trials[trial] = { ...(known ?? { trial, values, results: [] }), started: epochs };
    } else if (known !== undefined && line.type === 'failed') {
      trials[line.trial] = { ...known, failed: line.problem };
    } else if (known !== undefined && line.type === 'result') {
      const { epochs, standardError, verifiedError, trainSeconds } = line;
      const result = { epochs, standardError, verifiedError, trainSeconds };
      trials[line.trial] = { ...known, results: [...known.results, result] };
    }
  }
  return trials;
}

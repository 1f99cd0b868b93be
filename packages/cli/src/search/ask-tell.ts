import { CertError, describeValue, parseJson } from '@cert/core';
import { unknownName } from '@cert/trainer/pipeline';
import { isRecord, type Values } from '../commands/config-file.js';
import { placeOf, same } from './distribution.js';
import { scoreOf } from './front.js';
import { begin, type Pace, type Search, train } from './run-search.js';
import type { Space } from './space.js';
import { isRunning, type Job, resultAt, type Trial } from './trial.js';

/** What an answer is written with: a line of JSON. */
type Answer = (line: string) => void;

/** What another program asks for: values of all searched fields, trained up to an epoch. */
interface Asked {
  /** Repeated in the answer. */
  readonly id: unknown;
  readonly values: Values;
  readonly epochs: number;
}

/**
 * Trains what another program asks for, a line of JSON each, and answers each with a line: `{ "values": { ... } }` gets
 * `{ "trial": 0, "epochs": 12, "standardError": ..., "verifiedError": ..., "score": ... }`, or `{ "failed": "..." }` for a question that is
 * none and for a trial that failed. With `epochs`, a trial stops after that epoch; the same values with a larger number continue it. What
 * was trained before is answered at once, so that a program that begins again catches up.
 *
 * @throws CertError of the machine; the reason of the signal if it was aborted
 */
export async function askTell(
  search: Search & { readonly weight: number },
  questions: AsyncIterable<string>,
  { workers, signal }: Pace,
  answer: Answer,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const stop = () => search.runner.stop();
  signal.addEventListener('abort', stop);
  const reply = async (id: unknown, job: Job) => {
    try {
      const trial = await train(search, job);
      if (!isRunning(trial)) answer(textOf(id, trial, job.epochs, search.weight));
    } catch (error) {
      failures.push(error);
      stop();
    }
  };
  try {
    for await (const line of questions) {
      if (signal.aborted || failures.length > 0) break;
      if (line.trim() === '') continue;
      const next = await understood(line, search, answer);
      if (next === undefined) continue;
      await begin(search, next.job);
      const done: Promise<void> = reply(next.id, next.job).finally(() => running.delete(done));
      running.add(done);
      if (running.size >= workers) await Promise.race(running);
    }
    await Promise.all(running);
  } finally {
    signal.removeEventListener('abort', stop);
  }
  if (failures.length > 0) throw failures[0];
  signal.throwIfAborted();
}

/** The job of a question; undefined where it is answered already. */
async function understood(line: string, search: Search & { readonly weight: number }, answer: Answer) {
  let id: unknown;
  try {
    const content = jsonOf(line);
    id = content.id;
    const asked = { id, ...askedOf(content, search.space) };
    const trials = search.folder.trials();
    const known = trials.find(({ values }) => same(values, asked.values));
    if (known !== undefined && (known.failed !== undefined || resultAt(known, asked.epochs) !== undefined)) {
      answer(textOf(id, known, asked.epochs, search.weight));
      return undefined;
    }
    return { id, job: { trial: known?.trial ?? trials.length, ...jobOf(asked, known) } };
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    answer(JSON.stringify({ ...(id !== undefined && { id }), failed: `${error.problem} ${error.cure}` }));
    return undefined;
  }
}

/** @throws CertError `bad-argument` for a trial that is behind the epoch, or that is being trained beyond it */
function jobOf({ values, epochs }: Asked, known: Trial | undefined): Omit<Job, 'trial'> {
  if (known === undefined || known.started < epochs || (known.started === epochs && isRunning(known))) {
    return { values, epochs };
  }
  throw new CertError(
    'bad-argument',
    `Trial ${known.trial} has these values and is behind epoch ${epochs}.`,
    `Ask for an epoch from ${known.started} on.`,
  );
}

/** @throws CertError `bad-argument` */
function jsonOf(line: string): Values {
  const fail = (reason: string) => new CertError('bad-argument', `This line is no question: ${reason}.`, FORM);
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
  if (isRecord(value)) return value;
  throw fail(describeValue(value));
}

const FORM = 'Give a JSON object in one line: { "values": { "learningRate": 0.002 } }, with "epochs" to stop earlier.';

/** @throws CertError `bad-argument` for a value that the space does not have, and values that do not fit together */
function askedOf(content: Values, space: Space): Omit<Asked, 'id'> {
  const { values: given, epochs, id: _, ...others } = content;
  for (const name of Object.keys(others)) throw unknownName('part of a question', name, ['id', 'values', 'epochs']);
  if (!isRecord(given)) throw new CertError('bad-argument', `"values" is ${describeValue(given)}.`, FORM);
  const names = Object.keys(space.search);
  for (const name of Object.keys(given)) if (!names.includes(name)) throw unknownName('searched field', name, names);
  const values = Object.fromEntries(
    names.map((name) => {
      if (placeOf(space.search[name]!, given[name]) !== undefined) return [name, given[name]] as const;
      const value = given[name] === undefined ? 'missing' : describeValue(given[name]);
      throw new CertError(
        'bad-argument',
        `"${name}" is ${value}.`,
        `Give a value of its distribution: ${JSON.stringify(space.search[name])}.`,
      );
    }),
  );
  const all = space.configOf(values).epochs;
  const until = epochs ?? all;
  if (Number.isSafeInteger(until) && Number(until) >= 1 && Number(until) <= all) {
    return { values, epochs: Number(until) };
  }
  throw new CertError('bad-argument', `"epochs" is ${describeValue(epochs)}.`, `Give a whole number from 1 to ${all}.`);
}

function textOf(id: unknown, trial: Trial, epochs: number, weight: number): string {
  const result = resultAt(trial, epochs);
  const named = { ...(id !== undefined && { id }), trial: trial.trial };
  if (result === undefined) return JSON.stringify({ ...named, failed: trial.failed ?? 'It was stopped.' });
  const { standardError, verifiedError } = result;
  return JSON.stringify({ ...named, epochs, standardError, verifiedError, score: scoreOf(result, weight) });
}

import { readFile } from 'node:fs/promises';
import { CertError, parseJson } from '@cert/core';
import type { Instance } from '@cert/interchange';
import { shardMembers, versionText } from '@cert/verify/node';
import { fingerprints, readList } from './instances.js';
import { writeOutput } from './output-file.js';
import { isResult, keyOf, type ResultLine, tableFileOf, tableOf } from './result-lines.js';

/** What {@link mergeInstances} merges. */
export interface MergeInstancesOptions {
  /** Files of results. */
  readonly files: readonly string[];
  /** The list of instances. */
  readonly list: string;
  /** Where the merged lines go, in the order of the list; the table goes beside it. */
  readonly out: string;
}

/** A line and where it stands. */
interface Found {
  readonly line: ResultLine;
  readonly file: string;
}

/**
 * Merges the results of shards of a list of instances. The result does not depend on the order of the files. Results about other contents of
 * a network or property file than those that the list names now do not count. Of several lines of an instance, one with the time limit of the
 * list is taken before others, then a decided one before an undecided one, then the first in the order of their texts.
 *
 * @throws CertError `bad-file` for a file that cannot be read or has a damaged line, `bad-argument` for results of several arithmetics or versions,
 * `bad-data` when instances have no result, and for verdicts that contradict each other
 */
export async function mergeInstances({ files, list, out }: MergeInstancesOptions): Promise<{
  readonly instances: readonly Instance[];
  readonly lines: readonly ResultLine[];
}> {
  const instances = await readList(list);
  const all: Found[] = [];
  for (const file of files) for (const line of await readLines(file)) all.push({ line, file });
  checkOneClaim(all);
  const identify = fingerprints(list);
  const lines: (ResultLine | undefined)[] = [];
  let stale = 0;
  for (const instance of instances) {
    const own = all.filter(({ line }) => line.onnx === instance.onnx && line.vnnlib === instance.vnnlib);
    const contents = await identify(instance);
    const current = own.filter(({ line }) => line.files === contents);
    if (own.length > 0 && current.length === 0) stale++;
    const exact = current.filter(({ line }) => keyOf(line) === keyOf(instance));
    checkAgreement(current);
    lines.push(bestOf(exact.length > 0 ? exact : current));
  }
  const missing = instances.filter((_, i) => lines[i] === undefined);
  if (missing.length > 0) {
    const about = stale === 0 ? '' : ` (${stale} have one about other contents of their files)`;
    throw new CertError(
      'bad-data',
      `${missing.length} of ${instances.length} instances have no result${about}${shardsOf(files, instances, missing)}. The first: ${missing[0]!.onnx} ${missing[0]!.vnnlib}.`,
      'Run the command of each shard again until it ends, with the files that the list names, then merge.',
    );
  }
  const whole = lines as readonly ResultLine[];
  await writeOutput(out, whole.map((line) => `${JSON.stringify(line)}\n`).join(''));
  await writeOutput(tableFileOf(out), tableOf(instances, whole));
  return { instances, lines: whole };
}

/** @throws CertError `bad-argument` for results of several versions, or whose claims are of several strengths */
function checkOneClaim(all: readonly Found[]): void {
  const [first] = all;
  if (first === undefined) return;
  const newer = all.find(({ line }) => line.version !== first.line.version);
  if (newer !== undefined) {
    throw new CertError(
      'bad-argument',
      `${first.file} has results of ${versionText(first.line.version)}, ${newer.file} of ${versionText(newer.line.version)}.`,
      'Merge results of one version.',
    );
  }
  const other = all.find(({ line }) => line.asked !== first.line.asked);
  if (other === undefined) return;
  throw new CertError(
    'bad-argument',
    `${first.file} has results of --arithmetic ${first.line.asked ?? 'an older version'}, ${other.file} of ${other.line.asked ?? 'an older version'}.`,
    'Merge results of one arithmetic.',
  );
}

async function readLines(file: string): Promise<readonly ResultLine[]> {
  const bad = (problem: string, cause?: unknown) =>
    new CertError(
      'bad-file',
      `${file} ${problem}.`,
      'Run the command that writes it again until it ends, then merge.',
      {
        cause,
      },
    );
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw bad('cannot be read', cause);
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i) => {
      let value: unknown;
      try {
        value = parseJson(line);
      } catch (cause) {
        throw bad(`has a damaged line (${i + 1})`, cause);
      }
      if (isResult(value)) return value;
      throw bad(`has a line that is no result of cert verify --instances (${i + 1})`);
    });
}

/** The parts that lack results, where the names of the files tell the number of parts. */
function shardsOf(files: readonly string[], instances: readonly Instance[], missing: readonly Instance[]): string {
  const parts = new Set(files.map((file) => Number(/\.shard-\d+-of-(\d+)\.jsonl$/.exec(file)?.[1] ?? 0)));
  const [of = 0] = parts;
  if (parts.size !== 1 || of === 0) return '';
  const lacking = Array.from({ length: of }, (_, i) => ({ index: i + 1, of })).filter((shard) =>
    shardMembers(instances.length, shard).some((place) => missing.includes(instances[place]!)),
  );
  return `, of the shards ${lacking.map(({ index }) => `${index}/${of}`).join(', ')}`;
}

const RANK: { readonly [result: string]: number } = { sat: 0, unsat: 0, unknown: 1, timeout: 1, error: 2 };

/** @throws CertError `bad-data` for lines of an instance of which one says that it holds and another that it is violated */
export function checkAgreement(found: readonly Found[]): void {
  const [sat, unsat] = ['sat', 'unsat'].map((verdict) => found.find(({ line }) => line.result === verdict));
  if (sat === undefined || unsat === undefined) return;
  throw new CertError(
    'bad-data',
    `${sat.file} and ${unsat.file} contradict each other (sat and unsat) on the instance ${sat.line.onnx} ${sat.line.vnnlib}.`,
    'Verify it again on one machine, and report this: one of the two verdicts is wrong.',
  );
}

/** The line of an instance that is kept; undefined for none. */
export const bestOf = ([first, ...rest]: readonly Found[]): ResultLine | undefined =>
  first && rest.reduce(chosen, first).line;

/** Which of two lines of an instance is kept. */
function chosen(a: Found, b: Found): Found {
  const [one, other] = [a, b].map(({ line }) => JSON.stringify(line));
  const [first, second] = [RANK[a.line.result]!, RANK[b.line.result]!];
  if (first !== second) return first < second ? a : b;
  return one! <= other! ? a : b;
}

import { readFile } from 'node:fs/promises';
import { CertError } from '@cert/core';
import type { Instance } from '@cert/interchange';
import { shardMembers } from '@cert/verify/node';
import { isResult, keyOf, type ResultLine, readList, tableFileOf, tableOf } from './instances.js';
import { writeOutput } from './output-file.js';

/** What {@link mergeInstances} merges. */
export interface MergeInstancesOptions {
  /** Files of results. */
  readonly files: readonly string[];
  /** The list of instances. */
  readonly list: string;
  /** Where the merged lines go, in the order of the list; the table goes beside it. */
  readonly out: string;
}

/** A line and the file that it stands in. */
interface Found {
  readonly line: ResultLine;
  readonly file: string;
}

/**
 * Merges the results of shards of a list of instances. The result does not depend on the order of the files. Of several lines of an
 * instance, a decided one is taken before an undecided one, then the first in the order of their texts.
 *
 * @throws CertError `bad-file` for a file that cannot be read or has a damaged line, `bad-data` when instances have no result, for results of
 * different contents of a network or property file, and for verdicts that contradict each other
 */
export async function mergeInstances({ files, list, out }: MergeInstancesOptions): Promise<{
  readonly instances: readonly Instance[];
  readonly lines: readonly ResultLine[];
}> {
  const instances = await readList(list);
  const found = new Map<string, Found>();
  for (const file of files) {
    for (const line of await readLines(file)) {
      // The limit may have been another one than that of the list.
      const key = keyOf({ ...line, timeout: 0 });
      const known = found.get(key);
      found.set(key, known === undefined ? { line, file } : chosen(known, { line, file }));
    }
  }
  const lines = instances.map((instance) => found.get(keyOf({ ...instance, timeout: 0 }))?.line);
  const missing = instances.filter((_, i) => lines[i] === undefined);
  if (missing.length > 0) {
    throw new CertError(
      'bad-data',
      `${missing.length} of ${instances.length} instances have no result${shardsOf(files, instances, missing)}. The first: ${missing[0]!.onnx} ${missing[0]!.vnnlib}.`,
      'Run the command of each shard again until it ends, then merge.',
    );
  }
  const whole = lines as readonly ResultLine[];
  await writeOutput(out, whole.map((line) => `${JSON.stringify(line)}\n`).join(''));
  await writeOutput(tableFileOf(out), tableOf(instances, whole));
  return { instances, lines: whole };
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
        value = JSON.parse(line);
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

/** Which of two lines of an instance is kept. */
function chosen(a: Found, b: Found): Found {
  const [one, other] = [a, b].map(({ line }) => JSON.stringify(line));
  if (one === other) return a;
  const [first, second] = [RANK[a.line.result]!, RANK[b.line.result]!];
  const differs = a.line.files !== b.line.files && first !== 2 && second !== 2;
  if (differs || (first === 0 && second === 0 && a.line.result !== b.line.result)) {
    throw new CertError(
      'bad-data',
      `${a.file} and ${b.file} ${differs ? 'are about different contents of the files of' : `contradict each other (${a.line.result} and ${b.line.result}) on`} the instance ${a.line.onnx} ${a.line.vnnlib}.`,
      differs
        ? 'Verify it again with the same network and property on all machines.'
        : 'Verify it again on one machine, and report this: one of the two verdicts is wrong.',
    );
  }
  if (first !== second) return first < second ? a : b;
  return one! < other! ? a : b;
}

import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Arithmetic } from '@cert/bounds';
import { CertError } from '@cert/core';
import { type Instance, readInstances, type VnncompVerdict } from '@cert/interchange';
import type { Device } from '@cert/jit';
import { lockFile, makeFolder } from '@cert/models/node';
import { createDecider, type Decider } from '@cert/verify';
import { type Shard, shardMembers } from '@cert/verify/node';
import { formatTable } from '../show/format-table.js';
import { shortTime } from '../show/quantities.js';
import { tableFormat } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { jsonOf, readProperty, replayOf, resultText } from './instance.js';
import { isLayersModel, readLayersFiles } from './layers-model.js';
import { loadNetwork, readBytes, type VerifiedNetwork } from './network.js';
import { appendOutput, writeOutput } from './output-file.js';
import { progressLine } from './progress.js';

/** Options of {@link runInstances}. */
export interface InstancesOptions {
  readonly terminal: Terminal;
  readonly device: Device;
  readonly signal: AbortSignal;
  /** The list of instances; its paths count from its folder. */
  readonly file: string;
  /** Where a line of JSON for each instance goes. */
  readonly out: string;
  readonly overwrite: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Seconds, instead of those of the instances. */
  readonly timeout: number | undefined;
  /** The strongest claim that is tried. */
  readonly arithmetic: Arithmetic;
  readonly split: 'inputs' | 'relus' | undefined;
  /** Verify only this part of the instances. */
  readonly shard: Shard | undefined;
}

/** A line of the results. */
export interface ResultLine {
  readonly onnx: string;
  readonly vnnlib: string;
  readonly timeout: number;
  readonly result: VnncompVerdict;
  readonly seconds: number;
  /** What identifies the contents of both files: a verdict is about these. */
  readonly files: string;
  /** The strongest claim that was tried; missing in results of older versions. */
  readonly asked?: unknown;
  readonly [more: string]: unknown;
}

/**
 * Verifies instances one after the other and appends a line for each. Instances that have a line are not verified again, unless one of their files
 * has changed.
 *
 * @throws CertError `bad-argument` for names of files that cannot be used, `bad-file` for files that cannot be read or written, `in-use` when another
 * process works on the results
 */
export async function runInstances(options: InstancesOptions): Promise<void> {
  const { file, out } = options;
  const table = tableFileOf(out);
  if (resolve(table) === resolve(file)) {
    throw new CertError(
      'bad-argument',
      `The table written beside ${out} would overwrite ${file}.`,
      'Give another file with --out.',
    );
  }
  const listed = await readList(file);
  const { shard } = options;
  const members = shard && new Set(shardMembers(listed.length, shard));
  const instances = listed.filter((_, i) => members?.has(i) ?? true);
  await makeFolder(dirname(out));
  const unlock = await lockFile(`${out}.lock`, `The results ${out}`);
  try {
    await runLocked(options, instances);
  } finally {
    await unlock();
  }
}

/** The instances of a list. @throws CertError `bad-file` for a list that cannot be read, or is empty */
export async function readList(file: string): Promise<readonly Instance[]> {
  const instances = readInstances(new TextDecoder().decode(await readBytes(file)));
  if (instances.length > 0) return instances;
  throw new CertError(
    'bad-file',
    `${file} contains no instances.`,
    'Write one line "onnx,vnnlib,timeout" for each instance.',
  );
}

async function runLocked(options: InstancesOptions, instances: readonly Instance[]): Promise<void> {
  const { terminal, file, out, overwrite, json, signal } = options;
  const table = tableFileOf(out);
  if (overwrite) await rm(out, { force: true });
  await appendOutput(out, '');
  const known = await readResults(out, terminal);
  // A table of an earlier run must not stand beside new results.
  await rm(table, { force: true });
  const open = keeper(options);
  const identify = fingerprints(file);
  const lines: ResultLine[] = [];
  let before = 0;
  try {
    for (const [i, instance] of instances.entries()) {
      signal.throwIfAborted();
      const key = keyOf({ ...instance, timeout: options.timeout ?? instance.timeout });
      const files = await identify(instance);
      const earlier = known.get(key);
      if (earlier?.files === files && (earlier.asked ?? options.arithmetic) === options.arithmetic) {
        before++;
        lines.push(earlier);
        continue;
      }
      const line = await verifyInstance(options, instance, open, files);
      await appendOutput(out, `${JSON.stringify(line)}\n`);
      known.set(key, line);
      lines.push(line);
      if (json) terminal.out(JSON.stringify(line));
      else terminal.out(`${i + 1}/${instances.length}  ${lineText(line)}`);
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      terminal.err(
        `Stopped after ${lines.length} of ${instances.length} instances. Run the same command again to continue.`,
      );
    }
    throw error;
  } finally {
    await open.close();
  }
  await writeOutput(table, tableOf(instances, lines));
  if (json) return;
  if (before > 0) terminal.out(`${before} of ${instances.length} instances already have results.`);
  terminal.out(`\n${summaryOf(instances, lines, terminal)}\n\nResults per instance: ${out}\nTable: ${table}`);
}

/** @throws CertError `bad-argument` for a file of results of another name */
export function tableFileOf(out: string): string {
  if (out.endsWith('.jsonl')) return out.replace(/\.jsonl$/, '.csv');
  throw new CertError('bad-argument', `--out is ${JSON.stringify(out)}.`, 'Give a file whose name ends in .jsonl.');
}

function lineText({ onnx, vnnlib, result, seconds, reason }: ResultLine): string {
  const why = result === 'error' ? `: ${reason}` : '';
  return `${result.padEnd(7)} ${shortTime(seconds)}  ${basename(onnx)} ${basename(vnnlib)}${why}`;
}

/** Where a file of an instance is: its path counts from the folder of the list. */
const pathOf = (list: string, path: string): string => (isAbsolute(path) ? path : join(dirname(list), path));

/** Makes short texts that identify the contents of both files of an instance. */
export function fingerprints(list: string) {
  const known = new Map<string, string>();
  const digest = async (path: string): Promise<string> => {
    const file = pathOf(list, path);
    const bytes = await readFile(file).catch(() => undefined);
    if (bytes === undefined) return 'unreadable';
    const hash = createHash('sha256').update(bytes);
    // The weights of a TensorFlow.js model are in files of their own.
    const beside = isLayersModel(file) ? await readLayersFiles(file, await readBytes(file)).catch(() => null) : null;
    for (const weights of Object.values(beside?.weights ?? {})) hash.update(weights);
    return hash.digest('hex').slice(0, 32);
  };
  return async ({ onnx, vnnlib }: Instance): Promise<string> => {
    const network = known.get(onnx) ?? (await digest(onnx));
    known.set(onnx, network);
    return `${network} ${await digest(vnnlib)}`;
  };
}

/** What identifies an instance among the lines of results. */
export const keyOf = ({ onnx, vnnlib, timeout }: Pick<Instance, 'onnx' | 'vnnlib' | 'timeout'>) =>
  `${onnx}\u0000${vnnlib}\u0000${timeout}`;

/** One network with its decider; instances of one network mostly follow each other. */
function keeper({ device, split, file }: InstancesOptions) {
  let current: { readonly path: string; readonly loaded: VerifiedNetwork; readonly decider: Decider } | undefined;
  const close = async () => {
    await current?.decider.dispose();
    await current?.loaded.independent?.dispose();
    current = undefined;
  };
  return {
    async network(onnx: string) {
      const path = pathOf(file, onnx);
      if (current?.path === path) return current;
      await close();
      const loaded = await loadNetwork(path, device);
      const decider = createDecider({
        ...{ device, network: loaded.network, ...replayOf(loaded) },
        ...(split !== undefined && { split }),
      });
      current = { path, loaded, decider };
      return current;
    },
    close,
  };
}

/** An instance that cannot be read or computed is an error, with the reason; it is never a verdict. */
async function verifyInstance(
  { file, signal, timeout: given, terminal, json, quiet, arithmetic }: InstancesOptions,
  { onnx, vnnlib, timeout: own }: Instance,
  open: ReturnType<typeof keeper>,
  files: string,
): Promise<ResultLine> {
  const timeout = given ?? own;
  const began = Date.now();
  const seconds = () => (Date.now() - began) / 1000;
  const progress = progressLine(terminal, { json, quiet, about: `${basename(onnx)} ${basename(vnnlib)}, ` });
  try {
    const { loaded, decider } = await open.network(onnx);
    const text = new TextDecoder().decode(await readBytes(pathOf(file, vnnlib)));
    const prepared = seconds();
    const decision = await decider.decide(readProperty(text, loaded), {
      ...{ timeout: Math.max(0, timeout - prepared), arithmetic, signal },
      onProgress: progress.tell,
    });
    const result = jsonOf(decision, resultText(decision, loaded));
    return { onnx, vnnlib, timeout, asked: arithmetic, ...result, prepare: prepared, seconds: seconds(), files };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof CertError ? error.problem : error instanceof Error ? error.message : String(error);
    return { ...{ onnx, vnnlib, timeout, asked: arithmetic, result: 'error', reason }, seconds: seconds(), files };
  } finally {
    progress.close();
  }
}

/** The lines of earlier runs. A line that is cut short or no result is dropped. */
async function readResults(out: string, terminal: Terminal): Promise<Map<string, ResultLine>> {
  const text = await readFile(out, 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  const good = lines.flatMap((line): ResultLine[] => {
    try {
      const value: unknown = JSON.parse(line);
      return isResult(value) ? [value] : [];
    } catch {
      return [];
    }
  });
  if (good.length < lines.length || (text !== '' && !text.endsWith('\n'))) {
    terminal.err(`Removed damaged lines: ${lines.length - good.length}. Their instances are verified again.`);
    await writeOutput(out, good.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  return new Map(good.map((line) => [keyOf(line), line]));
}

const VERDICTS: readonly unknown[] = ['sat', 'unsat', 'unknown', 'timeout', 'error'];

export const isResult = (value: unknown): value is ResultLine => {
  if (typeof value !== 'object' || value === null) return false;
  const { onnx, vnnlib, timeout, result, seconds, files } = value as { readonly [key: string]: unknown };
  return (
    typeof onnx === 'string' &&
    typeof vnnlib === 'string' &&
    typeof timeout === 'number' &&
    typeof seconds === 'number' &&
    typeof files === 'string' &&
    VERDICTS.includes(result)
  );
};

/** The category of an instance: a column of that name, or the folder of its network. */
const categoryOf = ({ columns, onnx }: Instance): string =>
  columns.benchmark ?? columns.category ?? onnx.split('/').at(-2) ?? '';

/** The columns of the competition: category, network, property, seconds of preparation, result, seconds. */
export function tableOf(instances: readonly Instance[], lines: readonly ResultLine[]): string {
  const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = instances.map((one, i) => {
    const { onnx, vnnlib, result, seconds, prepare } = lines[i]!;
    const numbers = [typeof prepare === 'number' ? prepare.toFixed(3) : '0', result, seconds.toFixed(3)];
    return [categoryOf(one), onnx, vnnlib, ...numbers].map(quote).join(',');
  });
  return `${rows.join('\n')}\n`;
}

/** How many instances of each category have each verdict. */
export function summaryOf(instances: readonly Instance[], lines: readonly ResultLine[], terminal: Terminal): string {
  const categories = [...new Set(instances.map(categoryOf))];
  const of = (category: string) => lines.filter((_, i) => categoryOf(instances[i]!) === category);
  const row = (name: string, own: readonly ResultLine[]) => {
    const count = (...verdicts: string[]) => own.filter(({ result }) => verdicts.includes(result)).length;
    const seconds = own.reduce((sum, line) => sum + line.seconds, 0);
    return [
      ...[name, String(own.length), String(count('unsat')), String(count('sat')), String(count('unknown', 'timeout'))],
      ...[String(count('error')), seconds.toFixed(1)],
    ];
  };
  const rows = categories.map((category) => row(category, of(category)));
  if (categories.length > 1) rows.push(row('all', lines));
  return formatTable(
    [['', 'instances', 'unsat', 'sat', 'undecided', 'error', 'seconds'], ...rows],
    tableFormat(terminal),
  );
}

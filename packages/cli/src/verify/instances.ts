import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { CertError } from '@cert/core';
import { type Instance, readInstances, type VnncompVerdict } from '@cert/interchange';
import type { Device } from '@cert/jit';
import { createDecider, type Decider } from '@cert/verify';
import { formatTable } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { jsonOf, readProperty, replayOf, resultText } from './instance.js';
import { loadNetwork, readBytes, type VerifiedNetwork } from './network.js';

/** What {@link runInstances} takes. */
export interface InstancesOptions {
  readonly terminal: Terminal;
  readonly device: Device;
  readonly signal: AbortSignal;
  /** The list of instances; its paths count from its folder. */
  readonly file: string;
  /** Where a line of JSON for each instance goes. */
  readonly out: string;
  readonly anew: boolean;
  readonly json: boolean;
  /** Seconds, instead of those of the instances. */
  readonly timeout: number | undefined;
  readonly split: 'inputs' | 'relus' | undefined;
}

/** A line of the results. */
interface ResultLine {
  readonly onnx: string;
  readonly vnnlib: string;
  readonly timeout: number;
  readonly result: VnncompVerdict;
  readonly seconds: number;
  readonly [more: string]: unknown;
}

/** Verifies instances one after the other and appends a line for each; instances that have a line are not verified again. */
export async function runInstances(options: InstancesOptions): Promise<void> {
  const { terminal, file, out, anew, json, signal } = options;
  if (!out.endsWith('.jsonl')) {
    throw new CertError('bad-argument', `--out is ${JSON.stringify(out)}.`, 'Give a file whose name ends in .jsonl.');
  }
  const instances = readInstances(new TextDecoder().decode(await readBytes(file)));
  await mkdir(dirname(resolve(out)), { recursive: true });
  if (anew) await rm(out, { force: true });
  const known = await readResults(out, terminal);
  const open = keeper(options);
  let before = 0;
  try {
    for (const [i, instance] of instances.entries()) {
      signal.throwIfAborted();
      const key = keyOf({ ...instance, timeout: options.timeout ?? instance.timeout });
      if (known.has(key)) {
        before++;
        continue;
      }
      const line = await verifyInstance(options, instance, open);
      await appendFile(out, `${JSON.stringify(line)}\n`);
      known.set(key, line);
      if (json) terminal.out(JSON.stringify(line));
      else {
        const name = `${basename(instance.onnx)} ${basename(instance.vnnlib)}`;
        terminal.out(`${i + 1}/${instances.length}  ${line.result.padEnd(7)} ${line.seconds.toFixed(2)} s  ${name}`);
      }
    }
  } finally {
    await open.close();
  }
  const lines = instances.map((one) => known.get(keyOf({ ...one, timeout: options.timeout ?? one.timeout }))!);
  const table = out.replace(/\.jsonl$/, '.csv');
  await writeFile(table, tableOf(instances, lines));
  if (json) return;
  if (before > 0) terminal.out(`${before} of ${instances.length} instances were verified before.`);
  terminal.out(`\n${summaryOf(instances, lines)}\n\nInstance by instance: ${out}\nTable: ${table}`);
}

const keyOf = ({ onnx, vnnlib, timeout }: Pick<Instance, 'onnx' | 'vnnlib' | 'timeout'>) =>
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
      const path = resolve(dirname(file), onnx);
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
  { file, signal, timeout: given }: InstancesOptions,
  { onnx, vnnlib, timeout: own }: Instance,
  open: ReturnType<typeof keeper>,
): Promise<ResultLine> {
  const timeout = given ?? own;
  const began = Date.now();
  const seconds = () => (Date.now() - began) / 1000;
  try {
    const { loaded, decider } = await open.network(onnx);
    const text = new TextDecoder().decode(await readBytes(resolve(dirname(file), vnnlib)));
    const prepared = seconds();
    const decision = await decider.decide(readProperty(text, loaded), {
      timeout: Math.max(0, timeout - prepared),
      signal,
    });
    const result = jsonOf(decision, resultText(decision, loaded));
    return { onnx, vnnlib, timeout, ...result, prepare: prepared, seconds: seconds() };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof CertError ? error.problem : error instanceof Error ? error.message : String(error);
    return { ...{ onnx, vnnlib, timeout, result: 'error', reason }, seconds: seconds() };
  }
}

/** The lines of earlier runs. A line that is cut short or no result is dropped. */
async function readResults(out: string, terminal: Terminal): Promise<Map<string, ResultLine>> {
  const text = await readFile(out, 'utf8').catch(() => '');
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
    terminal.err(`Damaged lines dropped: ${lines.length - good.length}. Their instances are verified again.`);
    await writeFile(out, good.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  return new Map(good.map((line) => [keyOf(line), line]));
}

const VERDICTS: readonly unknown[] = ['sat', 'unsat', 'unknown', 'timeout', 'error'];

const isResult = (value: unknown): value is ResultLine => {
  if (typeof value !== 'object' || value === null) return false;
  const { onnx, vnnlib, timeout, result, seconds } = value as { readonly [key: string]: unknown };
  return (
    typeof onnx === 'string' &&
    typeof vnnlib === 'string' &&
    typeof timeout === 'number' &&
    typeof seconds === 'number' &&
    VERDICTS.includes(result)
  );
};

/** The category of an instance: a column of that name, or the folder of its network. */
const categoryOf = ({ columns, onnx }: Instance): string =>
  columns.benchmark ?? columns.category ?? onnx.split('/').at(-2) ?? '';

/** The columns of the competition: category, network, property, seconds of preparation, result, seconds. */
function tableOf(instances: readonly Instance[], lines: readonly ResultLine[]): string {
  const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = instances.map((one, i) => {
    const { onnx, vnnlib, result, seconds, prepare } = lines[i]!;
    const numbers = [typeof prepare === 'number' ? prepare.toFixed(3) : '0', result, seconds.toFixed(3)];
    return [categoryOf(one), onnx, vnnlib, ...numbers].map(quote).join(',');
  });
  return `${rows.join('\n')}\n`;
}

/** How many instances of each category have each verdict. */
function summaryOf(instances: readonly Instance[], lines: readonly ResultLine[]): string {
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
  return formatTable([
    ['', 'instances', 'unsat', 'sat', 'undecided', 'error', 'seconds'],
    ...categories.map((category) => row(category, of(category))),
    ...(categories.length > 1 ? [row('all', lines)] : []),
  ]);
}

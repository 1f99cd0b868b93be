import { CertError, parseJson } from '@cert/core';
import type { Instance, VnncompVerdict } from '@cert/interchange';
import { formatTable } from '../show/format-table.js';
import { tableFormat } from '../show/table.js';
import type { Terminal } from '../terminal.js';

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
  /** Version of `cert` that came to it; missing in results of older versions. */
  readonly version?: unknown;
  readonly [more: string]: unknown;
}

/** @throws CertError `bad-argument` for a file of results of another name */
export function tableFileOf(out: string): string {
  if (out.endsWith('.jsonl')) return out.replace(/\.jsonl$/, '.csv');
  throw new CertError('bad-argument', `--out is ${JSON.stringify(out)}.`, 'Give a file whose name ends in .jsonl.');
}

/** What identifies an instance among the lines of results. */
export const keyOf = ({ onnx, vnnlib, timeout }: Pick<Instance, 'onnx' | 'vnnlib' | 'timeout'>) =>
  `${onnx}\u0000${vnnlib}\u0000${timeout}`;

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

/** The results in the text of a file, and how many lines are none, are cut short or contradict another one. */
export function resultsIn(text: string): { readonly lines: readonly ResultLine[]; readonly damaged: number } {
  const all = text.split('\n').filter((line) => line !== '');
  const lines = all.flatMap((line): ResultLine[] => {
    try {
      const value = parseJson(line);
      return isResult(value) ? [value] : [];
    } catch {
      return [];
    }
  });
  const about = ({ onnx, vnnlib, files }: ResultLine) => JSON.stringify([onnx, vnnlib, files]);
  const having = (verdict: VnncompVerdict) => new Set(lines.filter(({ result }) => result === verdict).map(about));
  const [sat, unsat] = [having('sat'), having('unsat')];
  // Nobody can say which of two opposite lines is right.
  const kept = lines.filter((line) => !(sat.has(about(line)) && unsat.has(about(line))));
  return { lines: kept, damaged: all.length - kept.length };
}

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

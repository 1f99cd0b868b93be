import type { Row } from './compare.js';

const columns = { file: 22, device: 6, quantity: 46, absolute: 9, relative: 9, tolerance: 23 } as const;

const short = (value: number): string => (Number.isNaN(value) ? '-' : value === 0 ? '0' : value.toExponential(1));

const line = (
  file: string,
  device: string,
  quantity: string,
  rest: readonly [string, string, string],
  outcome: string,
) =>
  [
    file.padEnd(columns.file),
    device.padEnd(columns.device),
    quantity.padEnd(columns.quantity),
    rest[0].padStart(columns.absolute),
    rest[1].padStart(columns.relative),
    rest[2].padEnd(columns.tolerance),
    outcome,
  ].join('  ');

/** The line above the rows. */
export const header = line('file', 'device', 'quantity', ['max abs', 'max rel', 'tolerance'], 'result');

/** One row as a line of text. */
export function formatRow({ file, device, quantity, absolute, relative, tolerance, outcome, note }: Row): string {
  const allowed = tolerance === undefined ? '' : `rel ${short(tolerance.relative)} + ${short(tolerance.absolute)}`;
  const text = note === undefined ? outcome : `${outcome} (${note})`;
  return line(file, device, quantity, [short(absolute), short(relative), allowed], text);
}

/** How many rows there are of each outcome. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly notCovered: number;
}

export function summarize(rows: readonly Row[]): Summary {
  const count = (outcome: Row['outcome']) => rows.filter((row) => row.outcome === outcome).length;
  return { passed: count('pass'), failed: count('FAIL'), notCovered: count('not covered') };
}

/** The last lines of the report. */
export const formatSummary = ({ passed, failed, notCovered }: Summary): string =>
  `${notCovered === 0 ? '' : `${notCovered} not covered\n`}${passed} passed, ${failed} failed`;

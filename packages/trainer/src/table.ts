import { percent } from './describe.js';
import type { Summary } from './event.js';

/** Results as a table, a column per run. */
export function resultTable(summaries: readonly Summary[]): string {
  const [first] = summaries;
  if (first === undefined) return '';
  const attack = first.attack ? ` (${first.attack.steps} steps, ${first.attack.restarts} restarts)` : '';
  const row = (name: string, cell: (summary: Summary) => string) => [name, ...summaries.map(cell)];
  return formatTable([
    row('', ({ preset, method, seed }) => `${preset} ${method}, seed ${seed}`),
    row('standard error', (s) => percent(s.standardError)),
    row(`PGD error${attack}`, (s) => (s.pgdError === null ? 'not run' : percent(s.pgdError))),
    row('verified error (IBP)', (s) => percent(s.verifiedError)),
    row('epsilon', (s) => String(s.epsilon)),
    row('test images', (s) => String(s.images)),
    row('training seconds', (s) => s.trainSeconds.toFixed(1)),
    row('device', (s) => s.deviceDescription),
  ]);
}

/** Rows of cells as lines of text: the first column to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

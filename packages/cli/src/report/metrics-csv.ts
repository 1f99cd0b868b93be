import { type MetricsLine, readMetricsLines } from '@cert/trainer/pipeline';

/** A value of a cell. */
type Cell = string | number | null | undefined;

/**
 * All lines of the metrics of runs as CSV (RFC 4180): a header, then a row for each line. Columns are the fields that occur, in the order in
 * which they do; what a line does not have is empty. Shares of neurons are columns `relu.LAYER.STATE`.
 *
 * @param runs folders, and what the runs are called; of several runs, the column `run` comes first
 * @returns the text, and how many damaged lines were left out
 * @throws CertError `bad-file` when a file cannot be read
 */
export async function metricsCsv(
  runs: readonly { readonly name: string; readonly folder: string }[],
): Promise<{ readonly text: string; readonly rows: number; readonly damaged: number }> {
  const rows: ReadonlyMap<string, Cell>[] = [];
  let damaged = 0;
  for (const { name, folder } of runs) {
    const read = await readMetricsLines(folder);
    damaged += read.damaged;
    const first: readonly [string, Cell][] = runs.length > 1 ? [['run', name]] : [];
    for (const line of read.lines) rows.push(new Map([...first, ...cellsOf(line)]));
  }
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const lines = [columns, ...rows.map((row) => columns.map((column) => row.get(column)))];
  return { text: lines.map((line) => `${line.map(quoted).join(',')}\r\n`).join(''), rows: rows.length, damaged };
}

const cellsOf = ({ relu, ...fields }: MetricsLine): readonly [string, Cell][] => [
  ...Object.entries(fields).flatMap(([name, value]): [string, Cell][] =>
    typeof value === 'object' && value !== null ? [] : [[name, value]],
  ),
  ...(relu === undefined ? [] : [['relu.images', relu.images] as [string, Cell]]),
  ...Object.entries(relu?.layers ?? {}).flatMap(([layer, shares]) =>
    Object.entries(shares).map(([state, share]): [string, Cell] => [`relu.${layer}.${state}`, share]),
  ),
];

/** A cell as RFC 4180 has it: in quotes where it holds a comma, a quote or a line break. */
const quoted = (cell: Cell): string => {
  const text = String(cell ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

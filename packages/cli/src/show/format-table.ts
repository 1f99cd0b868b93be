import { wrapText } from './width.js';

/** Between columns. */
const GAP = 2;

/** Characters that a column keeps at least when its text is wrapped. */
const NARROWEST = 16;

/** How {@link formatTable} lays out. */
export interface TableFormat {
  /** Characters of a line at most; default any number. */
  readonly width?: number;
  /** Columns in front that name a row, repeated where a table has to be parted; default 1. They stand to the left. */
  readonly keys?: number;
  /** Put all columns to the left; default those behind the keys stand to the right. */
  readonly left?: boolean;
  /** Colours the first line; default not. */
  readonly heading?: (text: string) => string;
}

/**
 * Rows of cells, all as long, as lines of text. A table that is wider than it may be is parted: the columns that fit first, then, below them,
 * the rest, each part with the keys. Where a single column does not fit, its text is wrapped.
 */
export function formatTable(rows: readonly (readonly string[])[], format: TableFormat = {}): string {
  const { width = Number.POSITIVE_INFINITY, keys = 1 } = format;
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const parts = partColumns(widths, keys, width);
  return parts
    .map((columns) => {
      const chosen = rows.map((row) => columns.map((column) => row[column]!));
      return layOut(
        chosen,
        narrowed(
          columns.map((column) => widths[column]!),
          keys,
          width,
        ),
        format,
      );
    })
    .join('\n\n');
}

const lineOf = (widths: readonly number[]) => widths.reduce((sum, each) => sum + each + GAP, -GAP);

/** Which columns stand beside each other: the keys, and as many others as fit, one at least. */
function partColumns(widths: readonly number[], keys: number, width: number): number[][] {
  const front = widths.slice(0, keys).map((_, column) => column);
  const parts: number[][] = [];
  for (let column = keys; column < widths.length; column++) {
    const longer = [...(parts.at(-1) ?? front), column];
    const fits =
      lineOf(
        narrowed(
          longer.map((each) => widths[each]!),
          keys,
          width,
        ),
      ) <= width;
    if (parts.length > 0 && fits) parts[parts.length - 1] = longer;
    else parts.push([...front, column]);
  }
  return parts.length === 0 ? [front] : parts;
}

/** The widths of columns of which the first, and the last where it is the only one behind the keys, give way until a line fits: the wider one first. */
function narrowed(widths: readonly number[], keys: number, width: number): number[] {
  const result = [...widths];
  const last = widths.length - 1;
  const giving = last === keys ? [last, 0].sort((a, b) => widths[b]! - widths[a]!) : [0];
  for (const column of giving) {
    const over = lineOf(result) - width;
    if (over > 0) result[column] = Math.max(Math.min(NARROWEST, result[column]!), result[column]! - over);
  }
  return result;
}

/** The text of a cell in lines, all but the first with an indent. Words that are longer than a line are broken. */
function wrapCell(text: string, width: number, indent: string): string[] {
  if (text.length <= width) return [text];
  const room = width - indent.length;
  const words = text.replaceAll(new RegExp(`\\S{${room}}(?=\\S)`, 'g'), '$& ');
  return wrapText(words, room).map((line, i) => (i === 0 ? line : `${indent}${line}`));
}

function layOut(rows: readonly (readonly string[])[], widths: readonly number[], format: TableFormat): string {
  const { keys = 1, left = false, heading = (text: string) => text } = format;
  const lines = rows.map((row) => {
    const cells = row.map((cell, i) => wrapCell(cell, widths[i]!, i < keys ? '  ' : ''));
    const height = Math.max(...cells.map((cell) => cell.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((cell, i) => {
          const text = cell[line] ?? '';
          return i < keys || left ? text.padEnd(widths[i]!) : text.padStart(widths[i]!);
        })
        .join(' '.repeat(GAP))
        .trimEnd(),
    );
  });
  const [first = [], ...rest] = lines;
  return [...first.map(heading), ...rest.flat()].join('\n');
}

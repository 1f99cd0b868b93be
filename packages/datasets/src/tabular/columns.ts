import { CertError } from '@cert/core';

/** Type of a column: a number, one of some categories, or not used. */
export type ColumnType = 'number' | 'category' | 'ignore';

/** A table of texts. */
export interface Table {
  /** Name in messages, such as the path of the file. */
  readonly name: string;
  /** Names of the columns. */
  readonly header: readonly string[];
  /** Texts of each row, as many as columns. */
  readonly rows: readonly (readonly string[])[];
  /** Line of each row in the file, from 1. */
  readonly lines: readonly number[];
}

/** A column with its type and, for categories, the categories in order. */
export interface Column {
  /** Name in the header. */
  readonly name: string;
  /** Index in a row of the table. */
  readonly at: number;
  /** The type. */
  readonly type: 'number' | 'category';
  /** Categories in order; empty for a number. */
  readonly categories: readonly string[];
}

/** Categories above which a column is rather a name or a number. */
const MOST_CATEGORIES = 100;

/** Texts that stand for a missing value. */
const MISSING = ['', 'na', 'n/a', 'nan', 'null', 'none', '?'];

export const isMissing = (text: string): boolean => MISSING.includes(text.trim().toLowerCase());

/** A number as tables write it that is finite in float32; undefined for other texts. */
export function readNumber(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(Math.fround(value)) ? value : undefined;
}

/**
 * Returns the columns of a table that are features: all but the label and ignored ones. A column without a declared type is a number if all
 * its values are, else categories.
 *
 * @param types declared types, by name
 * @throws CertError `bad-argument` for a declared column that does not exist; `bad-data` naming line and column of a missing value, a text
 * in a column of numbers, and a column with more than 100 categories
 */
export function featureColumns(
  table: Table,
  label: string,
  types: { readonly [column: string]: ColumnType },
): readonly Column[] {
  const { header, name } = table;
  for (const declared of Object.keys(types)) columnAt(table, declared);
  return header.flatMap((column, at): Column[] => {
    if (column === label || types[column] === 'ignore') return [];
    const texts = table.rows.map((row) => row[at]!);
    const missing = texts.findIndex(isMissing);
    if (missing >= 0) {
      throw new CertError(
        'bad-data',
        `${name}, line ${table.lines[missing]}: the column "${column}" has no value (${JSON.stringify(texts[missing])}).`,
        'Remove the row, fill in the value, or leave out the column: type ignore.',
      );
    }
    const strange = texts.findIndex((text) => readNumber(text) === undefined);
    if (strange < 0 && types[column] !== 'category') {
      checkDistinct(table, column, texts);
      return [{ name: column, at, type: 'number', categories: [] }];
    }
    if (types[column] === 'number') {
      throw new CertError(
        'bad-data',
        `${name}, line ${table.lines[strange]}: the column "${column}" has ${JSON.stringify(texts[strange])}, which is not a number.`,
        'Correct the value, or declare the column as category or ignore.',
      );
    }
    const categories = inOrder(new Set(texts));
    if (categories.length > MOST_CATEGORIES) {
      throw new CertError(
        'bad-data',
        `${name}: the column "${column}" has ${categories.length} categories${strange < 0 ? '' : `, such as ${JSON.stringify(texts[strange])} on line ${table.lines[strange]}`}.`,
        `A category column may have at most ${MOST_CATEGORIES}. Correct the values, or leave out the column: type ignore.`,
      );
    }
    return [{ name: column, at, type: 'category', categories }];
  });
}

/** @throws CertError `bad-data` for two numbers of a column that float32 cannot tell apart, such as identifiers */
function checkDistinct({ name, lines }: Table, column: string, texts: readonly string[]): void {
  const known = new Map<number, number>();
  for (const [row, text] of texts.entries()) {
    const value = Number(text);
    const near = Math.fround(value);
    const before = known.get(near);
    if (before === undefined) known.set(near, value);
    // Decimals of many digits may be alike; whole numbers that are merged are something else than measurements.
    else if (before !== value && Number.isInteger(before) && Number.isInteger(value)) {
      throw new CertError(
        'bad-data',
        `${name}, line ${lines[row]}: the column "${column}" has ${before} and ${value}, which are the same number in float32.`,
        'Subtract a constant, use a larger unit, or leave out the column: type ignore.',
      );
    }
  }
}

/** The index of a column. @throws CertError `bad-argument` with the names of all columns */
export function columnAt({ header, name }: Table, column: string): number {
  const at = header.indexOf(column);
  if (at >= 0) return at;
  throw new CertError('bad-argument', `${name} has no column "${column}".`, `Columns: ${header.join(', ')}.`);
}

/** Texts in order: numbers by value, others by code. */
export const inOrder = (texts: Iterable<string>): readonly string[] => {
  const all = [...texts];
  return all.every((text) => readNumber(text) !== undefined)
    ? all.sort((a, b) => Number(a) - Number(b))
    : all.sort((a, b) => (a < b ? -1 : 1));
};

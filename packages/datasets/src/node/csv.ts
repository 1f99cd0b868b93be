import { readFile } from 'node:fs/promises';
import { CertError } from '@cert/core';
import { CsvError, parse } from 'csv-parse/sync';
import type { Dataset } from '../split.js';
import type { Table } from '../tabular/columns.js';
import { type TableOptions, tableDataset } from '../tabular/table-dataset.js';

/** Options of {@link csv}. */
export interface CsvOptions extends TableOptions {
  /** Character between values; default a comma. */
  readonly delimiter?: string | undefined;
}

/**
 * Reads a CSV file with a header line as a dataset of rows; see {@link tableDataset}.
 *
 * @throws CertError those of {@link readTable} and {@link tableDataset}
 */
export async function csv(path: string, options: CsvOptions = {}): Promise<Dataset> {
  return tableDataset(await readTable(path, options.delimiter), options);
}

/**
 * Reads a CSV file with a header line as a table of texts.
 *
 * @param delimiter character between values; default a comma
 * @throws CertError `bad-file` for a file that cannot be read, has no rows, a repeated column name, or a row with another number of values,
 * naming the line
 */
export async function readTable(path: string, delimiter?: string): Promise<Table> {
  const bytes = await readFile(path).catch((cause) => {
    throw new CertError(
      'bad-file',
      `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
      'Give the path of a CSV file with a header line.',
      { cause },
    );
  });
  return parseCsv(textOf(bytes, path), path, delimiter);
}

function textOf(bytes: Buffer, path: string): string {
  try {
    return bytes.toString('utf8');
  } catch (cause) {
    // Longer than a string can be.
    throw new CertError(
      'bad-file',
      `${path} has ${bytes.length} bytes, more than a text can have.`,
      'Give fewer rows.',
      {
        cause,
      },
    );
  }
}

/** What stands between values in files that are called CSV too. */
const OTHER_DELIMITERS: readonly (readonly [string, string])[] = [
  [';', 'semicolons'],
  ['\t', 'tabs'],
];

/** @param name of the table, for messages */
function parseCsv(text: string, name: string, delimiter = ','): Table {
  const fail = (problem: string, cure: string) => new CertError('bad-file', `${name}${problem}`, cure);
  const [first = ''] = text.trimStart().split('\n', 1);
  const other = OTHER_DELIMITERS.find(([character]) => !first.includes(delimiter) && first.includes(character));
  if (other !== undefined && delimiter === ',') {
    throw fail(
      `: the header has no comma, but ${other[1]}.`,
      'Save the table with commas between values and points in numbers. In a program, the option delimiter takes another character.',
    );
  }
  let records: readonly (readonly string[])[];
  const lines: number[] = [];
  const onRecord = (record: string[], info: { readonly lines: number }) => {
    lines.push(info.lines);
    return record;
  };
  try {
    records = parse(text, { delimiter, bom: true, skip_empty_lines: true, trim: true, onRecord });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === 'number' ? `, line ${error.lines}` : '';
    throw fail(`${line}: ${error.message}.`, 'Every row needs as many values as the header line has columns.');
  }
  const [header, ...rows] = records;
  if (header === undefined || rows.length === 0) {
    throw fail(' has no rows.', 'Give a CSV file with a header line and at least one row.');
  }
  const repeated = header.find((column, i) => column === '' || header.indexOf(column) !== i);
  if (repeated !== undefined) {
    throw fail(
      `: the header has ${repeated === '' ? 'a column without a name' : `the column "${repeated}" twice`}.`,
      'Give every column its own name in the first line.',
    );
  }
  return { name, header, rows, lines: lines.slice(1) };
}

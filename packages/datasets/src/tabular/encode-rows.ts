import { CertError } from '@cert/core';
import type { Dataset } from '../split.js';
import { isMissing, readNumber, type Table } from './columns.js';

/** The inputs of a network that was trained on a table: names and categorical groups of a dataset of {@link tableDataset}. */
export interface RowFeatures extends Pick<Dataset, 'categories'> {
  /** Names of the features, in the order of the inputs; `column=category` for a category. */
  readonly featureNames: readonly string[];
}

/**
 * Returns the inputs of a network for other rows than those it was trained on. Columns are found by their names, in any order; columns that are
 * no features are not read.
 *
 * @returns the features of all rows, row-major [rows, features]
 * @throws CertError `bad-data` naming the column that is missing, or line and column of a value that is missing, not a number, or a category
 * that the training rows did not have
 */
export function encodeRows(table: Table, { featureNames, categories = {} }: RowFeatures): Float32Array {
  const { header, rows } = table;
  const grouped = new Set(Object.values(categories).flat());
  const groups = Object.entries(categories).map(([column, features]) => ({ column, features }));
  const single = featureNames.flatMap((name, feature) => {
    if (grouped.has(feature)) return [];
    // A column that had one category in all training rows is a feature of its own.
    const column = header.includes(name) ? name : header.find((each) => name.startsWith(`${each}=`));
    return [{ column: column ?? name, features: [feature] }];
  });
  const inputs = new Float32Array(rows.length * featureNames.length);
  for (const { column, features } of [...single, ...groups]) {
    const at = header.indexOf(column);
    if (at < 0) throw noColumn(table, column);
    const isNumber = featureNames[features[0]!] === column;
    const known = features.map((feature) => featureNames[feature]!.slice(column.length + 1));
    for (const [row, texts] of rows.entries()) {
      const text = texts[at]!;
      const first = row * featureNames.length;
      if (isNumber) {
        inputs[first + features[0]!] = readNumber(text) ?? fail(table, row, column, text, 'Give a number.');
      } else {
        const category = known.indexOf(text);
        if (category < 0) fail(table, row, column, text, `Categories of the training rows: ${known.join(', ')}.`);
        inputs[first + features[category]!] = 1;
      }
    }
  }
  return inputs;
}

const noColumn = ({ name, header }: Table, column: string) =>
  new CertError(
    'bad-data',
    `${name} has no column "${column}", which the network reads.`,
    `Give all columns of the training table but the label. Columns of ${name}: ${header.join(', ')}.`,
  );

function fail({ name, lines }: Table, row: number, column: string, text: string, cure: string): never {
  const quoted = JSON.stringify(text);
  const found = isMissing(text) ? `no value (${quoted})` : `${quoted}, which the network cannot read`;
  throw new CertError('bad-data', `${name}, line ${lines[row]}: the column "${column}" has ${found}.`, cure);
}

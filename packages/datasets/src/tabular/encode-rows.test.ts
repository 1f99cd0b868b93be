import { describe, expect, it } from 'vitest';
import type { Table } from './columns.js';
import { encodeRows } from './encode-rows.js';
import { tableDataset } from './table-dataset.js';

const header = ['length', 'color', 'country', 'a=b', 'sold'];
const rows = Array.from({ length: 20 }, (_, i) => [
  `${i + 0.5}`,
  ['red', 'green', 'blue=ish'][i % 3]!,
  'Chile',
  `${(i * 7) % 20}`,
  i < 10 ? 'no' : 'yes',
]);
const table = (columns: readonly string[], texts: readonly (readonly string[])[]): Table => ({
  name: 'new.csv',
  header: columns,
  rows: texts,
  lines: texts.map((_, i) => i + 2),
});
const data = tableDataset(table(header, rows), { types: { country: 'category' } });
const features = { featureNames: data.featureNames!, categories: data.categories };

/** The features of each row, as text. */
const rowsOf = (values: ArrayLike<number>) =>
  Array.from({ length: values.length / 6 }, (_, row) =>
    Array.from({ length: 6 }, (_, i) => values[6 * row + i]).join(),
  );

it('gives the rows of the training table the inputs that they were trained with, whatever the order of the columns', () => {
  expect(data.featureNames).toHaveLength(6);
  const trained = [...rowsOf(data.train.images), ...rowsOf(data.test.images)].toSorted();
  const order = [4, 2, 0, 3, 1];
  const other = table(
    [...order.map((at) => header[at]!), 'id'],
    rows.map((row, i) => [...order.map((at) => row[at]!), `x${i}`]),
  );
  expect(rowsOf(encodeRows(other, features)).toSorted()).toEqual(trained);
});

describe('refuses', () => {
  const plain = ['1', 'red', 'Chile', '2'];
  const columns = header.slice(0, 4);
  it.each([
    ['a column that is missing', columns.slice(1), [plain.slice(1)], 'new.csv has no column "length"'],
    ['another category', columns, [plain, ['1', 'pink', 'Chile', '2']], 'line 3: the column "color" has "pink"'],
    ['another single category', columns, [['1', 'red', 'Peru', '2']], 'line 2: the column "country" has "Peru"'],
    ['text for a number', columns, [['1', 'red', 'Chile', 'two']], 'line 2: the column "a=b" has "two"'],
    ['a number that float32 does not have', columns, [['1e39', 'red', 'Chile', '2']], 'the column "length" has "1e39"'],
    ['a missing value', columns, [['NA', 'red', 'Chile', '2']], 'the column "length" has no value ("NA")'],
  ])('%s', (_, names, texts, problem) => {
    expect(() => encodeRows(table(names, texts), features)).toThrow(problem);
  });
});

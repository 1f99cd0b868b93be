import { CertError } from '@cert/core';
import type { Dataset, Split } from '../split.js';
import { targetMoments } from '../targets.js';
import {
  type Column,
  type ColumnType,
  columnAt,
  featureColumns,
  inOrder,
  isMissing,
  readNumber,
  type Table,
} from './columns.js';
import { lastRows, type RowSplit, type SplitRows, stratifiedRows } from './split-rows.js';

/** Options of {@link tableDataset}. */
export interface TableOptions {
  /**
   * `classification` (default): the label is a class. `regression`: the label is a number, in its units in the `targets` of the splits; the
   * dataset has a `target`.
   */
  readonly task?: 'classification' | 'regression' | undefined;
  /** Name of the column with the class, or with the number to predict; default: the last column. */
  readonly label?: string | undefined;
  /** Types of columns; default: `number` if all values are numbers, else `category`. */
  readonly types?: { readonly [column: string]: ColumnType } | undefined;
  /** Fraction of the rows that are test rows; default 0.2. */
  readonly testFraction?: number | undefined;
  /** How test rows are chosen: `stratified` (default) at random with the share of each class, `time`: the last rows. */
  readonly split?: RowSplit | undefined;
  /** Column of numbers or dates that orders the rows for `time`; default: the order of the file. Not a feature. */
  readonly timeColumn?: string | undefined;
  /** Seed of the random choice; default 0. */
  readonly seed?: number | undefined;
}

/**
 * Returns a table as a dataset of rows: columns of numbers are features in their own units, categories are one-hot groups of features
 * named `column=category`.
 *
 * The dataset has no range. Its `normalize` standardizes numbers by the moments of the training rows, as a layer of the model, so that
 * perturbation sets are in the units of the columns. Its `featureScale` is the standard deviation of each number and 0 for categories: the
 * default reach of a perturbation set.
 *
 * @throws CertError `bad-data` naming line and column of a missing or malformed value, or a label with fewer than 2 or more than 256
 * classes, or for a regression with a label that is not a number; `bad-argument` for a column that does not exist and a test fraction that leaves no rows
 */
export function tableDataset(table: Table, options: TableOptions = {}): Dataset {
  const { header, name } = table;
  const {
    label = header.at(-1)!,
    task = 'classification',
    types = {},
    testFraction = 0.2,
    split = 'stratified',
    timeColumn,
    seed = 0,
  } = options;
  const { classNames, labels, targets } = task === 'regression' ? targetsOf(table, label) : labelsOf(table, label);
  const unused = timeColumn === undefined ? types : { ...types, [timeColumn]: 'ignore' as const };
  const columns = featureColumns(table, label, unused);
  if (columns.length === 0) {
    throw new CertError(
      'bad-data',
      `${name} has no column besides the label "${label}".`,
      'Give a table with features.',
    );
  }
  const features = columns.flatMap(featuresOf);
  const names = features.map((feature) => feature.name);
  const twice = names.find((each, i) => names.indexOf(each) !== i);
  if (twice !== undefined) {
    throw new CertError(
      'bad-data',
      `${name}: a column and a category of another one are both called "${twice}".`,
      'Rename one of the columns.',
    );
  }
  const times = split === 'time' ? timesOf(table, timeColumn) : undefined;
  const rows: SplitRows =
    times === undefined
      ? stratifiedRows(labels, testFraction, seed, (one) => `"${classNames?.[one] ?? one}"`)
      : lastRows(times, testFraction);
  const splitOf = (chosen: readonly number[]): Split => ({
    ...{ shape: [features.length], classes: classNames?.length ?? 1, count: chosen.length, scale: 1 },
    images: Float32Array.from(chosen.flatMap((row) => encoded(table, columns, row))),
    labels: Uint8Array.from(chosen, (row) => labels[row]!),
    ...(targets && { targets: Float32Array.from(chosen, (row) => targets[row]!) }),
  });
  const train = splitOf(rows.train);
  const normalize = momentsOf(train, features);
  return {
    ...(times && { trainTimes: rows.train.map((row) => times[row]!) }),
    ...{ name, train, test: splitOf(rows.test), range: null },
    ...(classNames && { classNames }),
    ...(train.targets && { target: targetMoments(train.targets, label) }),
    featureNames: features.map((feature) => feature.name),
    categories: groupsOf(columns),
    normalize,
    featureScale: features.map(({ isNumber }, i) => (isNumber && !isConstant(train, i) ? normalize.std[i]! : 0)),
  };
}

/** One input of the network. */
interface Feature {
  readonly name: string;
  readonly isNumber: boolean;
}

const featuresOf = ({ name, type, categories }: Column): readonly Feature[] =>
  type === 'number'
    ? [{ name, isNumber: true }]
    : categories.map((category) => ({ name: `${name}=${category}`, isNumber: false }));

/** The features of each categorical column. */
function groupsOf(columns: readonly Column[]): { readonly [column: string]: readonly number[] } {
  let next = 0;
  const groups: [string, readonly number[]][] = [];
  for (const { name, categories } of columns) {
    const from = next;
    next += Math.max(1, categories.length);
    if (categories.length > 1) groups.push([name, categories.map((_, i) => from + i)]);
  }
  return Object.fromEntries(groups);
}

/** The inputs of a row. */
const encoded = ({ rows }: Table, columns: readonly Column[], row: number): readonly number[] =>
  columns.flatMap(({ at, type, categories }) => {
    const text = rows[row]![at]!;
    return type === 'number' ? [readNumber(text)!] : categories.map((category) => (category === text ? 1 : 0));
  });

/** The labels of a table: classes, or the numbers to predict. */
interface Labels {
  /** One class index per row; all 0 for a regression. */
  readonly labels: readonly number[];
  readonly classNames?: readonly string[];
  readonly targets?: readonly number[];
}

/** The texts of the label. @throws CertError `bad-data` naming the line of a missing one */
function labelTexts(table: Table, label: string): readonly string[] {
  const { rows, lines, name } = table;
  const at = columnAt(table, label);
  const texts = rows.map((row) => row[at]!);
  const missing = texts.findIndex(isMissing);
  if (missing < 0) return texts;
  throw new CertError(
    'bad-data',
    `${name}, line ${lines[missing]}: the label "${label}" has no value (${JSON.stringify(texts[missing])}).`,
    'Remove the row, or fill in the label.',
  );
}

function targetsOf(table: Table, label: string): Labels {
  const targets = labelTexts(table, label).map((text, row) => {
    const target = readNumber(text);
    if (target !== undefined) return target;
    throw new CertError(
      'bad-data',
      `${table.name}, line ${table.lines[row]}: the label "${label}" has ${JSON.stringify(text)}, which is not a number.`,
      'Correct the value, or train a classifier: the task classification.',
    );
  });
  return { labels: targets.map(() => 0), targets };
}

function labelsOf(table: Table, label: string): Labels {
  const { name } = table;
  const texts = labelTexts(table, label);
  const classNames = inOrder(new Set(texts));
  if (classNames.length < 2 || classNames.length > 256) {
    throw new CertError(
      'bad-data',
      `${name}: the label "${label}" has ${classNames.length === 1 ? 'only one value' : `${classNames.length} different values`}.`,
      'Name the column of the class, with 2 to 256 different values, as the label. To predict a number: the task regression.',
    );
  }
  const alike = classNames.find(
    (text, i) => i > 0 && readNumber(text) !== undefined && Number(text) === Number(classNames[i - 1]),
  );
  if (alike !== undefined) {
    throw new CertError(
      'bad-data',
      `${name}: the label "${label}" has "${classNames[classNames.indexOf(alike) - 1]}" and "${alike}", which are the same number.`,
      'Write every class in one way.',
    );
  }
  const indices = new Map(classNames.map((text, i) => [text, i]));
  return { classNames, labels: texts.map((text) => indices.get(text)!) };
}

/** A number for each row that grows with time. */
function timesOf(table: Table, column: string | undefined): readonly number[] {
  if (column === undefined) return table.rows.map((_, i) => i);
  const at = columnAt(table, column);
  return table.rows.map((row, i) => {
    const text = row[at]!;
    const time = readNumber(text) ?? Date.parse(text);
    if (!Number.isNaN(time)) return time;
    throw new CertError(
      'bad-data',
      `${table.name}, line ${table.lines[i]}: the time column "${column}" has ${JSON.stringify(text)}.`,
      'Give numbers, or dates such as 2026-01-31.',
    );
  });
}

/** Whether a feature has one value in all rows: its standard deviation is 0, though the model divides by 1. */
const isConstant = ({ images, shape: [width = 1] }: Split, feature: number): boolean =>
  images.every((value, i) => i % width !== feature || value === images[feature]);

/** Mean and standard deviation of each number over the training rows; 0 and 1 for categories and constant columns. */
function momentsOf({ images, count }: Split, features: readonly Feature[]) {
  const width = features.length;
  const column = (feature: number) => Array.from({ length: count }, (_, row) => images[row * width + feature]!);
  const moments = features.map(({ isNumber }, feature) => {
    if (!isNumber) return { mean: 0, std: 1 };
    const values = column(feature);
    const mean = values.reduce((a, b) => a + b, 0) / count;
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
    return { mean, std: std > 0 ? std : 1 };
  });
  return { mean: moments.map(({ mean }) => mean), std: moments.map(({ std }) => std) };
}

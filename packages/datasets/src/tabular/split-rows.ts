import { CertError, createRng } from '@cert/core';

/** How rows are divided into training and test rows. */
export type RowSplit =
  /** At random with the share of each class in both; depends on the seed only. */
  | 'stratified'
  /** The last rows are the test rows, in the order of the file or of a column. */
  | 'time';

/** Indices of rows. */
export interface SplitRows {
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/**
 * Divides rows into training and test rows.
 *
 * @param labels one class index per row
 * @param fraction of the test rows, between 0 and 1
 * @param seed of the random choice
 * @param nameOf a class, for messages
 * @throws CertError `bad-argument` for a fraction that leaves no test row or no training row of a class
 */
export function stratifiedRows(
  labels: ArrayLike<number>,
  fraction: number,
  seed: number,
  nameOf: (label: number) => string = String,
): SplitRows {
  const byClass = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const rows = byClass.get(labels[i]!);
    if (rows === undefined) byClass.set(labels[i]!, [i]);
    else rows.push(i);
  }
  const test = [...byClass.entries()].flatMap(([label, rows]) => {
    const count = Math.round(rows.length * fraction);
    if (count === 0 || count === rows.length) {
      throw tooFew(
        byClass.size > 1 ? `the class ${nameOf(label)} has only ${rowsText(rows)}` : `there are only ${rowsText(rows)}`,
        fraction,
      );
    }
    return Array.from(createRng(seed, 'test rows', label).permutation(rows.length).slice(0, count), (i) => rows[i]!);
  });
  return withTest(labels.length, test);
}

/**
 * The last rows by a key as test rows.
 *
 * @param keys one number per row, ascending in time; equal keys keep the order of the rows
 */
export function lastRows(keys: readonly number[], fraction: number): SplitRows {
  const count = Math.round(keys.length * fraction);
  if (count === 0 || count === keys.length) throw tooFew(`there are only ${rowsText(keys)}`, fraction);
  return withTest(keys.length, latestRows(keys, count));
}

/** The indices of the last `count` rows by a key; equal keys keep the order of the rows. */
export const latestRows = (keys: readonly number[], count: number): readonly number[] =>
  keys
    .map((_, i) => i)
    .sort((a, b) => keys[a]! - keys[b]! || a - b)
    .slice(keys.length - count);

function withTest(count: number, test: readonly number[]): SplitRows {
  const chosen = new Set(test);
  const all = Array.from({ length: count }, (_, i) => i);
  return { train: all.filter((i) => !chosen.has(i)), test: all.filter((i) => chosen.has(i)) };
}

const rowsText = ({ length }: ArrayLike<unknown>) => `${length} ${length === 1 ? 'row' : 'rows'}`;

const tooFew = (what: string, fraction: number) =>
  new CertError(
    'bad-argument',
    `The test fraction is ${fraction}, but ${what}.`,
    'Give a fraction that leaves training and test rows of every class, such as 0.2, or more rows.',
  );

import { basename } from 'node:path';
import { CertError, type Model, sizeOf } from '@cert/core';
import { type Dataset, encodeRows, type RowFeatures } from '@cert/datasets';
import { readTable } from '@cert/datasets/node';
import type { PredictionInput } from './input.js';

/** Whether a path stands for a table of rows. */
export const isTable = (path: string): boolean => /\.csv$/i.test(path);

/**
 * The rows of a CSV file, as inputs of a network. Their labels are not read.
 *
 * @param known what the inputs of the network mean; without `featureNames`, they are no rows
 * @throws CertError `shape-mismatch` for a network that does not take rows; those of `readTable` and `encodeRows`
 */
export async function rowInputs(
  path: string,
  { inputShape }: Model,
  { featureNames, categories }: Pick<Dataset, keyof RowFeatures>,
): Promise<readonly PredictionInput[]> {
  const size = sizeOf(inputShape);
  if (featureNames?.length !== size) {
    throw new CertError(
      'shape-mismatch',
      `${path} is a table, but the network takes inputs of shape [${inputShape}] whose columns are not known.`,
      'Give a network that was trained on a table (--preset tabular/mlp), or an image for one that takes images.',
    );
  }
  const table = await readTable(path);
  const values = encodeRows(table, { featureNames, categories });
  return table.rows.map((_, row) => ({
    pixels: values.slice(row * size, (row + 1) * size),
    about: `Row ${row} of ${basename(path)}`,
    label: null,
    target: null,
  }));
}

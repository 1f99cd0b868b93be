import { CertError, describeValue, type Model, sizeOf } from '@cert/core';
import type { GraphWriter, Port } from './graph-writer.js';

/** A column of a table that a network reads: a number, or one of some categories. */
export interface TableColumn {
  /** Name of the input in the file. */
  readonly name: string;
  /** Categories, each a feature of the network in this order; missing for a number, which is one feature. */
  readonly categories?: readonly string[];
}

/**
 * Adds the nodes that make the features of a row out of its columns: numbers as they are, and a feature for each category.
 *
 * @param first the batch axis
 * @returns the inputs, each [batch, 1], and the name of the features, [batch, features]
 */
export function featuresOfColumns(
  writer: GraphWriter,
  columns: readonly TableColumn[],
  first: number | string,
): { readonly inputs: readonly Port[]; readonly features: string } {
  const inputs = columns.map(
    ({ name, categories }): Port => ({
      name,
      shape: [first, 1],
      type: categories === undefined ? 'float32' : 'string',
    }),
  );
  const parts = columns.map(({ name, categories }) => {
    if (categories === undefined) return name;
    // Without `zeros`, an unknown category is an error of the runtime and not a row of zeros.
    const encoded = writer.node('OneHotEncoder', [name], `${name}.onehot`, { cats_strings: categories, zeros: 0 });
    const shape = writer.integers(`${name}.shape`, [-1, categories.length]);
    return writer.node('Reshape', [encoded, shape], `${name}.features`);
  });
  return { inputs, features: writer.node('Concat', parts, 'features', { axis: 1 }) };
}

/** @throws CertError `bad-argument` for columns that are not the features of the network */
export function checkColumns({ inputShape }: Pick<Model, 'inputShape'>, columns: readonly TableColumn[]): void {
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, i) => name === '' || names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new CertError(
      'bad-argument',
      twice === '' ? 'A column has no name.' : `Two columns are called ${describeValue(twice)}.`,
      'Give each column a name of its own: it becomes the name of an input.',
    );
  }
  for (const { name, categories } of columns) {
    if (categories === undefined || (categories.length > 0 && new Set(categories).size === categories.length)) continue;
    throw new CertError(
      'bad-argument',
      `The column ${describeValue(name)} has ${categories.length === 0 ? 'no categories' : 'a category twice'}.`,
      'Give the distinct categories in the order of the features, or none for a number.',
    );
  }
  const features = columns.reduce((sum, { categories }) => sum + (categories?.length ?? 1), 0);
  if (inputShape.length === 1 && features === sizeOf(inputShape)) return;
  throw new CertError(
    'bad-argument',
    `The columns have ${features} features, and the network takes the shape [${inputShape}].`,
    'Give all columns of the table that the network was trained on, in order.',
  );
}

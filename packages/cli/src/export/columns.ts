import { CertError, type Rng } from '@cert/core';
import type { TableColumn } from '@cert/interchange';
import type { RowFacts } from '@cert/trainer/pipeline';

/**
 * Returns the columns of the table that a network was trained on, in the order of its features.
 *
 * @param path of the network, for messages
 * @throws CertError `bad-file` for groups of features that are not columns
 */
export function columnsOf({ featureNames, categories, featureScale }: RowFacts, path: string): readonly TableColumn[] {
  const columns: TableColumn[] = [];
  const groups = Object.entries(categories);
  for (let next = 0; next < featureNames.length; ) {
    const [name, group] = groups.find(([, features]) => features.includes(next)) ?? [];
    const feature = featureNames[next]!;
    // A column that had one category in all training rows is a feature of its own, which never changes.
    const only = feature.indexOf('=');
    if (name !== undefined && group !== undefined) {
      if (group.some((at, i) => at !== next + i)) {
        throw new CertError(
          'bad-file',
          `${path}: the features of the column "${name}" are not in order.`,
          'Leave out --columns.',
        );
      }
      columns.push({ name, categories: group.map((at) => featureNames[at]!.slice(name.length + 1)) });
    } else if (only > 0 && featureScale[next] === 0) {
      columns.push({ name: feature.slice(0, only), categories: [feature.slice(only + 1)] });
    } else columns.push({ name: feature });
    next += group?.length ?? 1;
  }
  return columns;
}

/** Features of a row with random numbers and categories. */
export const randomRow = (columns: readonly TableColumn[], rng: Rng): Float32Array =>
  Float32Array.from(
    columns.flatMap(({ categories }) => {
      const chosen = categories && rng.int(categories.length);
      return categories?.map((_, i) => (i === chosen ? 1 : 0)) ?? [rng.uniform()];
    }),
  );

/** The number or the category of each column, by its name. */
export function valuesOf(
  columns: readonly TableColumn[],
  features: ArrayLike<number>,
): { readonly [column: string]: number | string } {
  let next = 0;
  return Object.fromEntries(
    columns.map(({ name, categories }) => {
      const first = next;
      next += categories?.length ?? 1;
      return [name, categories?.find((_, i) => features[first + i] === 1) ?? features[first]!];
    }),
  );
}

/** What the examples of a dataset are called in texts for people. */
export interface ExampleWords {
  /** One example: `image`. */
  readonly one: string;
  /** Several: `images`. */
  readonly many: string;
  /** One number of an example: `pixel`. */
  readonly value: string;
}

const IMAGES: ExampleWords = { one: 'image', many: 'images', value: 'pixel' };
const ROWS: ExampleWords = { one: 'row', many: 'rows', value: 'feature' };

/** Returns what examples are called: rows for tables, else images. @param dataset name in a catalog */
export const exampleWords = (dataset: string): ExampleWords => (dataset === 'csv' ? ROWS : IMAGES);

import type { Shape } from '@cert/core';

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
const INPUTS: ExampleWords = { one: 'input', many: 'inputs', value: 'value' };

/**
 * Returns what examples are called: images of shape [height, width, channels], rows of shape [features], else inputs.
 *
 * @param dataset name in a catalog, which decides where the shape is not known
 * @param shape of one example
 */
export function exampleWords(dataset: string, shape?: Shape | null): ExampleWords {
  if (shape == null) return dataset === 'csv' ? ROWS : IMAGES;
  return shape.length === 3 ? IMAGES : shape.length === 1 ? ROWS : INPUTS;
}

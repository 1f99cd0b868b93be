import { expect, it } from 'vitest';
import { exampleWords } from './words.js';

it.each([
  ['digits', [28, 28, 1], 'image', 'pixel'],
  ['csv', [5], 'row', 'feature'],
  ['mine', [5], 'row', 'feature'],
  ['mine', [100, 3], 'input', 'value'],
  ['csv', undefined, 'row', 'feature'],
  ['digits', null, 'image', 'pixel'],
] as const)('examples of %s with the shape %o are called %s, their numbers %s', (dataset, shape, one, value) => {
  expect(exampleWords(dataset, shape)).toEqual({ one, many: `${one}s`, value });
});

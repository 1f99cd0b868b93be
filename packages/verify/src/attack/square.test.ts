import { expect, it } from 'vitest';
import { shrinking } from './square.js';

it('squares shrink as in the paper, scaled to the number of queries', () => {
  const queries = [0, 10, 11, 50, 51, 200, 201, 501, 1001, 2001, 4001, 6001, 8001, 9999];
  const halvings = [0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 9];
  expect(queries.map((query) => -Math.log2(shrinking(query, 10_000)))).toEqual(halvings.map((n) => (n === 0 ? -0 : n)));
  expect(shrinking(501, 5000)).toBe(2 ** -5);
});

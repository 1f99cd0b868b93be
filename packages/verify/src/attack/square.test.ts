import { expect, it } from 'vitest';
import { shrinking } from './square.js';
import { squareSize } from './squares.js';

it('squares shrink as in the paper, scaled to the number of queries', () => {
  const queries = [0, 10, 11, 50, 51, 200, 201, 501, 1001, 2001, 4001, 6001, 8001, 9999];
  const halvings = [0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 9];
  expect(queries.map((query) => -Math.log2(shrinking(query, 10_000)))).toEqual(halvings.map((n) => (n === 0 ? -0 : n)));
  expect(shrinking(501, 5000)).toBe(2 ** -5);
});

it('squares cover their share of an image, and a part of one column', () => {
  expect(squareSize(0.8, [28, 28])).toEqual([25, 25]);
  expect(squareSize(0.8 / 4, [28, 28])).toEqual([13, 13]);
  expect(squareSize(1e-6, [28, 28])).toEqual([1, 1]);
  expect(squareSize(1e-6, [28, 28], 3)).toEqual([3, 3]);
  expect(squareSize(1e-6, [2, 28], 3)).toEqual([2, 3]);
  expect(squareSize(0.5, [10, 1])).toEqual([5, 1]);
  expect(squareSize(1e-6, [10, 1], 2)).toEqual([2, 1]);
  expect(squareSize(1e-6, [1, 1], 2)).toEqual([1, 1]);
});

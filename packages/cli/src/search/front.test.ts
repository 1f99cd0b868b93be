import { expect, it } from 'vitest';
import { byFrontAndCrowding, crowdingOf, dominates, frontsOf, scoreOf } from './front.js';

const errors = (standardError: number, verifiedError: number) => ({ standardError, verifiedError });

it('one trial dominates another that is no better in any error and worse in one', () => {
  expect(dominates(errors(0.1, 0.2), errors(0.1, 0.3))).toBe(true);
  expect(dominates(errors(0.1, 0.2), errors(0.2, 0.2))).toBe(true);
  expect(dominates(errors(0.1, 0.2), errors(0.1, 0.2))).toBe(false);
  expect(dominates(errors(0.1, 0.3), errors(0.2, 0.2))).toBe(false);
});

it('sorts seven trials into the fronts that a drawing shows', () => {
  // 0, 2, 4 and 6 are the lower left edge; 6 is 2 once more. Behind them 1 (behind 0) and 3 (behind 2), behind these 5.
  const all = [
    errors(0.1, 0.5),
    errors(0.2, 0.5),
    errors(0.2, 0.3),
    errors(0.3, 0.4),
    errors(0.4, 0.2),
    errors(0.4, 0.6),
    errors(0.2, 0.3),
  ];
  expect(frontsOf(all)).toEqual([[0, 2, 4, 6], [1, 3], [5]]);
  expect(frontsOf([])).toEqual([]);
});

it('gives the ends of a front an infinite distance and the others the sides of the box between their neighbours', () => {
  // Ranges 0.4 and 0.8. The second: (0.3 - 0.1) / 0.4 + (0.9 - 0.3) / 0.8; the third: (0.5 - 0.2) / 0.4 + (0.5 - 0.1) / 0.8.
  const [first, second, third, last] = crowdingOf([
    errors(0.1, 0.9),
    errors(0.2, 0.5),
    errors(0.3, 0.3),
    errors(0.5, 0.1),
  ]);
  expect([first, last]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  expect(second).toBeCloseTo(1.25, 12);
  expect(third).toBeCloseTo(1.25, 12);
  expect(crowdingOf([errors(0.1, 0.1), errors(0.1, 0.1), errors(0.1, 0.1)])[1]).toBe(0);
});

it('orders by front, and within one by distance', () => {
  const all = [errors(0.9, 0.9), errors(0.1, 0.9), errors(0.2, 0.8), errors(0.3, 0.3), errors(0.9, 0.1)];
  // Of the inner two, 3 has the larger box: (0.9 - 0.2) / 0.8 + (0.8 - 0.1) / 0.8 against (0.3 - 0.1) / 0.8 + (0.9 - 0.3) / 0.8.
  expect(byFrontAndCrowding(all)).toEqual([1, 4, 3, 2, 0]);
});

it('scores by a weighted mean', () => {
  expect(scoreOf(errors(0.1, 0.3), 0)).toBe(0.3);
  expect(scoreOf(errors(0.1, 0.3), 1)).toBe(0.1);
  expect(scoreOf(errors(0.1, 0.3), 0.5)).toBeCloseTo(0.2, 12);
});

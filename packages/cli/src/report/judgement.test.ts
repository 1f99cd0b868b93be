import { expect, it } from 'vitest';
import { judgementOf } from './judgement.js';

it('calls classes right or wrong, and numbers by their tolerance where it is known', () => {
  expect(judgementOf({ regression: null })).toEqual({ right: 'classified correctly', wrong: 'misclassified' });
  expect(judgementOf({ regression: { delta: 0.5 } })).toEqual({
    ...{ right: 'off by less than 0.5', wrong: 'off by 0.5 or more' },
  });
  expect(judgementOf({ regression: { delta: 172.6192315 } }).right).toBe('off by less than 172.62');
  expect(judgementOf({ regression: { delta: null } }).right).toBe('within the tolerance');
});

import { describe, expect, it } from 'vitest';
import { isBetter, isExhausted } from './best.js';

describe('isBetter', () => {
  const best = { epoch: 3, verifiedError: 0.5, standardError: 0.2 };

  it.each([
    [0.4, 0.9, true],
    [0.6, 0.1, false],
    [0.5, 0.1, true],
    [0.5, 0.2, false],
    [0.5, 0.3, false],
  ])('verified error %f, standard error %f: %s', (verifiedError, standardError, wanted) => {
    expect(isBetter({ verifiedError, standardError }, best)).toBe(wanted);
  });

  it('takes the first epoch, and no draw against one whose standard error is not known', () => {
    const all = { verifiedError: 1, standardError: 1 };
    expect(isBetter(all, null)).toBe(true);
    expect(isBetter({ ...all, standardError: 0 }, { epoch: 1, verifiedError: 1 })).toBe(false);
  });
});

describe('isExhausted', () => {
  const best = { epoch: 3, verifiedError: 0.5, standardError: 0.2 };

  it.each([
    [3, best, 1, false],
    [4, best, 1, true],
    [4, best, 2, false],
    [5, best, 2, true],
    // Before the full radius there is no best epoch.
    [9, null, 1, false],
    [9, best, null, false],
  ])('epoch %i, best %j, patience %s: %s', (epoch, found, patience, wanted) => {
    expect(isExhausted(epoch, found, patience)).toBe(wanted);
  });
});

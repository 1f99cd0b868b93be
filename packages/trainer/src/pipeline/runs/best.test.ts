import { describe, expect, it } from 'vitest';
import { isBetter } from './best.js';

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

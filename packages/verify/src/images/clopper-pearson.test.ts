import { describe, expect, it } from 'vitest';
import { clopperPearson } from './clopper-pearson.js';

describe('clopperPearson', () => {
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I.
  it.each([
    [81, 263, 0.2527, 0.3676],
    [15, 148, 0.0578, 0.1617],
    [0, 20, 0, 0.1684],
    [1, 29, 0.0009, 0.1776],
  ])('%i of %i: the published interval', (count, trials, lower, upper) => {
    const interval = clopperPearson(count, trials);
    expect(interval[0]).toBeCloseTo(lower, 4);
    expect(interval[1]).toBeCloseTo(upper, 4);
  });

  it('has a closed form where nothing or everything came out so', () => {
    for (const trials of [1, 7, 2000]) {
      const end = 0.025 ** (1 / trials);
      expect(clopperPearson(0, trials)[0]).toBe(0);
      expect(clopperPearson(0, trials)[1]).toBeCloseTo(1 - end, 12);
      expect(clopperPearson(trials, trials)[0]).toBeCloseTo(end, 12);
      expect(clopperPearson(trials, trials)[1]).toBe(1);
    }
  });

  it('leaves the two tails of the binomial distribution, added up term by term', () => {
    const probability = (from: number, to: number, trials: number, p: number) => {
      let sum = 0;
      for (let k = from; k <= to; k++) {
        let term = 1;
        for (let i = 1; i <= k; i++) term *= ((trials - k + i) / i) * p;
        sum += term * (1 - p) ** (trials - k);
      }
      return sum;
    };
    for (const [count, trials, confidence] of [
      [3, 10, 0.95],
      [40, 90, 0.99],
      [59, 60, 0.9],
    ] as const) {
      const [lower, upper] = clopperPearson(count, trials, confidence);
      expect(probability(count, trials, trials, lower)).toBeCloseTo((1 - confidence) / 2, 10);
      expect(probability(0, count, trials, upper)).toBeCloseTo((1 - confidence) / 2, 10);
    }
  });

  it('is narrow about the fraction for a whole test set', () => {
    const [lower, upper] = clopperPearson(6500, 10_000);
    // The normal approximation, good to three digits at this size.
    const half = 1.96 * Math.sqrt((0.65 * 0.35) / 10_000);
    expect(lower).toBeCloseTo(0.65 - half, 3);
    expect(upper).toBeCloseTo(0.65 + half, 3);
  });
});

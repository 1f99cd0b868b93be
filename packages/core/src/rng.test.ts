import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from './index.js';

const many = (n: number, draw: () => number) => Array.from({ length: n }, draw);
const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;

describe('createRng', () => {
  it('gives the same first numbers on every machine', () => {
    const a = createRng(0);
    expect([a.uniform(), a.uniform(), a.normal(), a.normal(), a.normal()]).toEqual([
      0.7650780516897613, 0.44285810333718734, 0.9624689729373227, -1.5334974346563504, 0.7094474760270763,
    ]);
    expect([a.int(10), a.int(1000), [...a.permutation(8)]]).toEqual([4, 131, [5, 0, 1, 7, 2, 4, 3, 6]]);
    const b = createRng(7, 'weights', 'conv1');
    expect([b.uniform(), b.normal(), b.int(256), [...b.permutation(5)]]).toEqual([
      0.33851414391242085,
      0.8961105374626553,
      140,
      [2, 3, 1, 4, 0],
    ]);
  });

  it('repeats for the same seed and labels, and differs for others', () => {
    const first = (rng: Rng) => many(4, rng.uniform).join();
    const streams = [
      createRng(1),
      createRng(2),
      createRng(1, 2),
      createRng(1, 'a'),
      createRng(1, 'a', 'b'),
      createRng(1, 'ab'),
      createRng(12),
    ];
    expect(new Set(streams.map(first)).size).toBe(streams.length);
    expect(first(createRng(1, 'a', 3))).toBe(first(createRng(1, 'a', 3)));
  });

  it('draws of one stream do not move another', () => {
    const [a, b] = [createRng(5, 'a'), createRng(5, 'b')];
    const expected = createRng(5, 'b').uniform();
    many(10, a.uniform);
    expect(b.uniform()).toBe(expected);
  });

  it('uniform: in [0, 1), mean 1/2, variance 1/12', () => {
    const x = many(50_000, createRng(3, 'uniform').uniform);
    expect(x.every((v) => v >= 0 && v < 1)).toBe(true);
    // Five standard errors.
    expect(Math.abs(mean(x) - 0.5)).toBeLessThan((5 * Math.sqrt(1 / 12)) / Math.sqrt(x.length));
    expect(mean(x.map((v) => (v - 0.5) ** 2))).toBeCloseTo(1 / 12, 2);
  });

  it('normal: moments 0, 1, 0, 3 and no correlation of neighbours', () => {
    const x = many(50_000, createRng(3, 'normal').normal);
    const moment = (k: number) => mean(x.map((v) => v ** k));
    expect(Math.abs(moment(1))).toBeLessThan(0.025);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.035);
    expect(Math.abs(moment(3))).toBeLessThan(0.1);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.25);
    expect(Math.abs(mean(x.slice(1).map((v, i) => v * x[i]!)))).toBeLessThan(0.025);
  });

  it('neighbouring seeds are not correlated', () => {
    const x = many(2000, () => 0).map((_, seed) => createRng(seed).uniform() - 0.5);
    expect(Math.abs(mean(x.slice(1).map((v, i) => v * x[i]!)) * 12)).toBeLessThan(0.11);
  });

  it('permutation: each of the 24 orders of 4 about equally often', () => {
    const rng = createRng(3, 'permutation');
    const counts = new Map<string, number>();
    const n = 24_000;
    for (let i = 0; i < n; i++) {
      const order = rng.permutation(4).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((sum, c) => sum + (c - n / 24) ** 2 / (n / 24), 0);
    // 99.9 % quantile of chi-square with 23 degrees of freedom.
    expect(chiSquare).toBeLessThan(49.7);
  });

  it('permutation and int at their edges', () => {
    const rng = createRng(0);
    expect([...rng.permutation(0)]).toEqual([]);
    expect([...rng.permutation(1)]).toEqual([0]);
    expect(new Set(many(200, () => rng.int(3)))).toEqual(new Set([0, 1, 2]));
    expect(rng.int(1)).toBe(0);
  });
});

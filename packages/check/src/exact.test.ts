import { expect, it } from 'vitest';
import { compareExact, enclose, exactOf, parseExact } from './exact.js';
import { down, growth32, growth64, up } from './rounding.js';

it.each([
  ['0.1', 0.1],
  ['8/255', 8 / 255],
  ['-0.1', -0.1],
  ['0', 0],
  ['0.5', 0.5],
  ['1/3', 1 / 3],
  ['0.0000000000000000000000000000000000000001', 1e-40],
  ['9007199254740993', 2 ** 53],
])('encloses %s tightly', (text, near) => {
  const exact = parseExact(text, 'x');
  const { lower, upper } = enclose(exact);
  expect(compareExact(exactOf(lower), exact)).toBeLessThanOrEqual(0);
  expect(compareExact(exactOf(upper), exact)).toBeGreaterThanOrEqual(0);
  expect(upper - lower).toBeLessThanOrEqual(Math.abs(near) * 2 ** -50);
  if (text === '0.5' || text === '0') expect([lower, upper]).toEqual([near, near]);
});

it.each([0, -0, 1, -1, 0.1, Number.MIN_VALUE, 2 ** -1022, 2 ** -1023, -(2 ** -1022), 1.5e300, 2 ** 53 + 2])(
  'rounds %d outwards, exactly as a fraction tells',
  (x) => {
    expect(compareExact(exactOf(up(x)), exactOf(x))).toBe(1);
    expect(compareExact(exactOf(down(x)), exactOf(x))).toBe(-1);
    // The next number is not skipped by more than one.
    const steps = Math.abs(x) < 2 ** -1021 ? Number.MIN_VALUE * 2 : Math.abs(x) * 2 ** -51;
    expect(up(x) - x).toBeLessThanOrEqual(steps);
    const { numerator, denominator } = exactOf(x);
    if (denominator < 1n << 1000n) expect(Number(numerator) / Number(denominator)).toBe(x);
  },
);

it('bounds n U / (1 - n U) from above', () => {
  for (const n of [1, 2, 1000, 2 ** 21]) {
    for (const [bound, bits] of [
      [growth64(n), 53n],
      [growth32(n), 24n],
    ] as const) {
      const exact = { numerator: BigInt(n), denominator: (1n << bits) - BigInt(n) };
      expect(compareExact(exactOf(bound), exact)).toBe(1);
    }
  }
  expect(() => growth32(2 ** 22)).toThrow('fewer than 2^22');
});

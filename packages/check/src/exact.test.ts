import { expect, it } from 'vitest';
import { decimal, less, of, over } from '../test/fractions.ts';
import { enclose } from './exact.js';
import { down, growth32, growth64, up } from './rounding.js';

it.each([
  ['0.1', 0.1],
  ['8/255', 8 / 255],
  ['-0.1', -0.1],
  ['0', 0],
  ['-0', 0],
  ['0.5', 0.5],
  ['1/3', 1 / 3],
  ['0.0000000000000000000000000000000000000001', 1e-40],
  ['9007199254740993', 2 ** 53],
  ['1234567890123456789012345678901234567890.1234567890123456789012345678901234567899', 1.23456789e39],
  ['1/9999999999999999999999999999999999999999', 1e-40],
])('encloses %s tightly', (text, near) => {
  const [numerator, denominator] = text.split('/');
  const exact = over(decimal(numerator!), decimal(denominator ?? '1'));
  const { lower, upper } = enclose(text, 'x');
  expect(less(exact, of(lower))).toBe(false);
  expect(less(of(upper), exact)).toBe(false);
  expect(upper - lower).toBeLessThanOrEqual(Math.abs(near) * 2 ** -48);
  if (near === 0) expect(upper - lower).toBe(0);
});

it.each([0, -0, 1, -1, 0.1, Number.MIN_VALUE, 2 ** -1022, 2 ** -1023, -(2 ** -1022), 1.5e300, 2 ** 53 + 2])(
  'rounds %d outwards, exactly as a fraction tells',
  (x) => {
    expect(less(of(x), of(up(x)))).toBe(true);
    expect(less(of(down(x)), of(x))).toBe(true);
    // The next number is not skipped by more than one.
    const steps = Math.abs(x) < 2 ** -1021 ? Number.MIN_VALUE * 2 : Math.abs(x) * 2 ** -51;
    expect(up(x) - x).toBeLessThanOrEqual(steps);
    expect(x - down(x)).toBeLessThanOrEqual(steps);
  },
);

it('bounds n U / (1 - n U) from above', () => {
  for (const n of [1, 2, 1000, 2 ** 21]) {
    for (const [bound, bits] of [
      [growth64(n), 53n],
      [growth32(n), 24n],
    ] as const) {
      expect(less({ p: BigInt(n), q: (1n << bits) - BigInt(n) }, of(bound))).toBe(true);
    }
  }
  expect(() => growth32(2 ** 22)).toThrow('fewer than 2^22');
});

import { createRng } from '@cert/core';
import { expect, it } from 'vitest';
import { add, compare, type Dyadic, dyadic, multiply, negate, subtract } from '../exact/dyadic.js';
import { fma, nextDown, nextUp, sumDown, sumUp } from './float32.js';

const magnitude = (x: Dyadic): Dyadic => (x.m < 0n ? negate(x) : x);

/** Whether a float32 number is the nearest to an exact one, and of two nearest the one with an even mantissa. */
function isNearest(rounded: number, exact: Dyadic): boolean {
  const distance = (x: number) => magnitude(subtract(dyadic(x), exact));
  const even = new Uint32Array(Float32Array.of(rounded).buffer)[0]! % 2 === 0;
  return [nextUp(rounded), nextDown(rounded)].every((other) => {
    const order = compare(distance(rounded), distance(other));
    return order < 0 || (order === 0 && even);
  });
}

const rng = createRng(0, 'fma');
/** Few bits make ties likely; large and small exponents make products that vanish beside the sum. */
const draw = (bits: number, exponents: number): number =>
  Math.fround((rng.int(2) === 0 ? -1 : 1) * (1 + rng.int(2 ** bits)) * 2 ** (rng.int(exponents) - exponents / 2));

it('a fused multiply-add rounds once, to the nearest float32 number and to even', () => {
  let fused = 0;
  for (let i = 0; i < 60_000; i++) {
    const bits = [3, 12, 24][i % 3]!;
    const [a, b, c] = [draw(bits, 60), draw(bits, 60), draw(24, 120)];
    const got = fma(a, b, c);
    expect(isNearest(got, add(multiply(dyadic(a), dyadic(b)), dyadic(c))), `${a} * ${b} + ${c} = ${got}`).toBe(true);
    if (got !== Math.fround(Math.fround(a * b) + c)) fused++;
  }
  expect(fused).toBeGreaterThan(500);
});

it('a fused multiply-add is right where two roundings are wrong: near a tie', () => {
  // 1 + 2^-24 is a tie between two float32 numbers, and the product is a little more or less than 2^-24.
  const [a, above, below] = [2 ** -12, 2 ** -12 * (1 + 2 ** -23), 2 ** -12 * (1 - 2 ** -24)];
  expect(fma(a, 2 ** -12, 1)).toBe(1);
  expect(fma(a, above, 1)).toBe(1 + 2 ** -23);
  expect(fma(a, below, 1)).toBe(1);
  // An error below float64's rounding decides.
  const tiny = 2 ** -100;
  expect(Math.fround(tiny * tiny + (1 + 2 ** -24))).toBe(1);
  expect(fma(1 + 2 ** -23, 1 + 2 ** -23, -1)).toBe(2 ** -22);
  // Halfway between two float32 numbers, but for less than float64 can hold.
  expect(4097 * 4097).toBe(16_785_409);
  expect(fma(4097, 4097, 2 ** -40)).toBe(16_785_410);
  expect(fma(4097, 4097, -(2 ** -40))).toBe(16_785_408);
  expect(fma(4097, -4097, 2 ** -40)).toBe(-16_785_408);
  expect(fma(4097, 4097, 0)).toBe(16_785_408);
  // Denormal results.
  for (const c of [2 ** -149, 3 * 2 ** -149, -(2 ** -140)]) {
    const [x, y] = [1.5 * 2 ** -75, 1.5 * 2 ** -75];
    expect(isNearest(fma(x, y, c), add(multiply(dyadic(x), dyadic(y)), dyadic(c)))).toBe(true);
  }
});

it('float64 sums round outwards to float32', () => {
  for (let i = 0; i < 20_000; i++) {
    const [a, b] = [draw(24, 40), (rng.uniform() - 0.5) * 2 ** (rng.int(40) - 20)];
    const exact = add(dyadic(a), dyadic(b));
    const [down, up] = [sumDown(a, b), sumUp(a, b)];
    expect(compare(dyadic(down), exact) <= 0 && compare(dyadic(nextUp(down)), exact) > 0).toBe(true);
    expect(compare(dyadic(up), exact) >= 0 && compare(dyadic(nextDown(up)), exact) < 0).toBe(true);
  }
});

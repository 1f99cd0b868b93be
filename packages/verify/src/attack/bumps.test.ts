import { createRng } from '@cert/core';
import { expect, it } from 'vitest';
import { bumpAt, randomBumps, twoBumps } from './bumps.js';

/** Equation 2 of the paper, for 1 <= r <= height and 1 <= s <= width: the sum over k <= M(r, s) of 1 / (n + 1 - k)^2. */
function equation(r: number, s: number, [height, width]: readonly [number, number]): number {
  const n = Math.floor(Math.max(height, width) / 2);
  const last = n - Math.max(Math.abs(r - Math.floor(height / 2) - 1), Math.abs(s - Math.floor(width / 2) - 1));
  let sum = 0;
  for (let k = 0; k <= last; k++) sum += 1 / (n + 1 - k) ** 2;
  return sum;
}

it.each([1, 2, 3, 4, 5, 8, 11, 25])(
  'two bumps in a square of %i are those of equation 2, with opposite signs',
  (side) => {
    const { down, across } = twoBumps([side, side]);
    const first = Math.floor(side / 2);
    expect([down.length, across.length]).toEqual([side, side]);
    for (let r = 0; r < side; r++) {
      for (let s = 0; s < side; s++) {
        const wanted =
          r < first ? equation(r + 1, s + 1, [first, side]) : -equation(r - first + 1, s + 1, [side - first, side]);
        expect(wanted).not.toBe(0);
        expect(bumpAt(down[r]!, across[s]!)).toBeCloseTo(wanted, 12);
      }
    }
  },
);

it('bumps lie above each other or side by side, in one column above each other', () => {
  const rng = createRng(0, 'bumps');
  const drawn = Array.from({ length: 40 }, () => randomBumps([3, 3], rng));
  const isAbove = drawn.map(({ down }) => down.some((value) => value < 0));
  expect(new Set(isAbove)).toEqual(new Set([true, false]));
  for (const { down, across } of drawn) expect(down.every((x) => x > 0)).toBe(across.some((x) => x < 0));
  for (let i = 0; i < 10; i++) {
    const { down, across } = randomBumps([2, 1], rng);
    expect([down.map(Math.sign), across.map(Math.sign)]).toEqual([[1, -1], [1]]);
    expect(bumpAt(down[0]!, across[0]!)).toBe(-bumpAt(down[1]!, across[0]!));
  }
});

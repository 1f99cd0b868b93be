import { createRng } from '@cert/core';
import { expect, it } from 'vitest';
import { contains, drawPoint, drawRealPoint, float32Ends } from './box.js';
import { nextDown, nextUp } from './execute/float32.js';

it('the ends are the first and last float32 numbers of the ball, and points are drawn between them', () => {
  const rng = createRng(0, 'box');
  for (let i = 0; i < 2000; i++) {
    const epsilon = [0.1, 0.7, 8 / 255, 1e-6, 1e-9, 0][i % 6]!;
    const range = i % 5 === 0 ? null : { min: 0.1, max: 0.9 };
    const image = Float32Array.of(0.2 + 0.6 * rng.uniform(), Math.fround(0.9) - 2 ** -24, nextUp(Math.fround(0.1)));
    const ball = { image, epsilon, range };
    const ends = float32Ends(ball);
    for (const end of [ends.lower, ends.upper]) expect(contains(ball, end)).toBe(true);
    image.forEach((_, k) => {
      const replaced = (value: number) => image.map((x, j) => (j === k ? value : x));
      expect(contains(ball, replaced(nextUp(ends.upper[k]!)))).toBe(false);
      expect(contains(ball, replaced(nextDown(ends.lower[k]!)))).toBe(false);
    });
    expect(contains(ball, drawPoint(ends, image, rng))).toBe(true);
    expect(contains(ball, drawRealPoint(ball, rng))).toBe(true);
  }
});

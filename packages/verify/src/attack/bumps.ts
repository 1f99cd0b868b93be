import type { Rng } from '@cert/core';

/** Two opposite bumps in a window: the value of a pixel is {@link bumpAt} of its numbers down and across the window. */
export interface Bumps {
  readonly down: readonly number[];
  readonly across: readonly number[];
}

/** The smaller one of two numbers without their signs, times both signs. */
export const bumpAt = (down: number, across: number): number =>
  Math.sign(down) * Math.sign(across) * Math.min(Math.abs(down), Math.abs(across));

/** Returns bumps above each other or side by side; in one column above each other. */
export function randomBumps([height, width]: readonly [number, number], rng: Rng): Bumps {
  if (width > 1 && rng.uniform() < 0.5) {
    const { down, across } = twoBumps([width, height]);
    return { down: across, across: down };
  }
  return twoBumps([height, width]);
}

/**
 * Returns two opposite bumps above each other (Andriushchenko et al. 2020, equation 2). The value of a bump at the distance c from its center
 * (the larger one of both directions) is sum_{j = c}^{n} 1 / (j + 1)^2, where n is half its longer side. As this falls with c, it is the
 * smaller one of the values for the distances down and across.
 */
export function twoBumps([height, width]: readonly [number, number]): Bumps {
  const first = Math.floor(height / 2);
  const n = Math.floor(Math.max(height - first, width) / 2);
  const value = (c: number) =>
    Array.from({ length: n - c + 1 }, (_, k) => 1 / (c + k + 1) ** 2).reduce((a, b) => a + b, 0);
  const slope = (length: number) => Array.from({ length }, (_, i) => value(Math.abs(i - Math.floor(length / 2))));
  return { down: [...slope(first), ...slope(height - first).map((x) => -x)], across: slope(width) };
}

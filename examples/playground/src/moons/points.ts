/** Two moons: two half circles that reach into each other, with noise, in the unit square. */
import { createRng } from '@cert/core';
import { arraySplit, type Split } from '@cert/datasets';

/** How far the moons stay from the edges of the square, from left to right and from top to bottom. */
const MARGIN = { x: 0.12, y: 0.18 };

/**
 * Draws points of both moons in turns.
 *
 * @param options.noise standard deviation before the moons are scaled into the square; a moon has the radius 1
 * @returns rows [x, y] in [0, 1], and the labels 0 and 1
 */
export function twoMoons({ count, noise, seed }: { count: number; noise: number; seed: number }): Split {
  const rng = createRng(seed, 'two-moons');
  const points = Array.from({ length: count }, (_, i): readonly [number, number] => {
    const angle = Math.PI * rng.uniform();
    const [x, y] = i % 2 === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
    return [x + noise * rng.normal(), y + noise * rng.normal()];
  });
  // The moons reach from -1 to 2 and from -0.5 to 1.
  const place = (part: number, margin: number) => Math.min(1, Math.max(0, margin + (1 - 2 * margin) * part));
  const images = Float32Array.from(
    points.flatMap(([x, y]) => [place((x + 1) / 3, MARGIN.x), place((y + 0.5) / 1.5, MARGIN.y)]),
  );
  return arraySplit({ shape: [2], classes: 2, images, labels: points.map((_, i) => i % 2) }, 'two moons');
}

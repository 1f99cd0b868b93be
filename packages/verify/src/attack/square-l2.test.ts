import { createRng, l2, type Shape, type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { bumpAt } from './bumps.js';
import { l2Squares } from './square-l2.js';

const values = (x: Tensor) => [...x.dataSync()];
const lengthOf = (x: readonly number[]) => Math.hypot(...x);
const unit = (x: readonly number[]) => x.map((value) => value / (lengthOf(x) || 1));

/** Algorithm 3 of the paper for one image, in float64. */
function algorithm3(
  offset: readonly number[],
  query: readonly number[],
  epsilon: number,
  [rows, columns, channels]: readonly [number, number, number],
): readonly number[] {
  const numbers = [...query];
  const [down, across, otherDown, otherAcross, signs] = [rows, columns, rows, columns, channels].map((n) =>
    numbers.splice(0, n),
  ) as [number[], number[], number[], number[], number[]];
  const pixels = Array.from({ length: rows * columns }, (_, i) => [Math.floor(i / columns), i % columns] as const);
  const bump = pixels.map(([r, c]) => bumpAt(down[r]!, across[c]!));
  const first = pixels.map((_, i) => bump[i] !== 0);
  const second = pixels.map(([r, c]) => otherDown[r]! * otherAcross[c]! > 0);
  const unused = Math.max(epsilon ** 2 - lengthOf(offset) ** 2, 0);
  const moved = [...offset];
  for (let channel = 0; channel < channels; channel++) {
    const own = pixels.map((_, i) => offset[i * channels + channel]!);
    const only = (inside: readonly boolean[]) => own.map((value, i) => (inside[i] ? value : 0));
    const available = Math.sqrt(lengthOf(only(first.map((is, i) => is || second[i]!))) ** 2 + unused / channels);
    const push = unit(bump).map((value) => value * signs[channel]!);
    const mixed = unit(only(first)).map((value, i) => value + push[i]!);
    const shape = unit(lengthOf(mixed) < 1e-3 ? push : mixed);
    pixels.forEach((_, i) => {
      if (first[i]) moved[i * channels + channel] = shape[i]! * available;
      else if (second[i]) moved[i * channels + channel] = 0;
    });
  }
  return moved;
}

describe.each<[string, Shape, readonly [number, number, number]]>([
  ['an image', [9, 7, 3], [9, 7, 3]],
  ['an image of few pixels', [3, 2, 1], [3, 2, 1]],
  ['a row of an image', [1, 6, 2], [1, 6, 2]],
  ['features', [11], [11, 1, 1]],
  ['two features', [2], [2, 1, 1]],
  ['one feature', [1], [1, 1, 1]],
])('Square in a Euclidean set of %s', (_, shape, image) => {
  const epsilon = 0.7;
  const squares = l2Squares(l2({ epsilon }), shape);
  const size = image[0] * image[1] * image[2];
  const inputs = Array.from({ length: 12 }, (__, index) => {
    const rng = createRng(3, 'input', index);
    return { rng, pixels: Float32Array.from({ length: size }, () => rng.uniform()) };
  });
  const stack = (rows: readonly ArrayLike<number>[], like: Shape) =>
    tf.tensor(
      rows.flatMap((row) => Array.from(row)),
      [rows.length, ...like],
    );

  it('starts with bumps on the sphere that depend on the draws alone', () => {
    for (const { pixels } of inputs) {
      const start = squares.start(pixels, createRng(5, 'start'));
      const offset = Array.from(start, (x, i) => x - pixels[i]!);
      expect(lengthOf(offset)).toBeCloseTo(epsilon, 5);
      expect(offset.every((x) => Math.abs(x) > 1e-4)).toBe(true);
      expect(squares.start(pixels, createRng(5, 'start'))).toEqual(start);
      if (size > 1) expect(squares.start(pixels, createRng(6, 'start'))).not.toEqual(start);
    }
  });

  it('moves as algorithm 3 does, on the sphere again, each input for itself', () => {
    // 0: all of the length is unused. 1: none of it.
    for (const used of [0, 0.5, 1]) {
      for (const share of [0.8, 0.2, 0.001]) {
        const queries = inputs.map(({ rng }) => squares.query(share, rng));
        const offsets = inputs.map(({ rng }) =>
          unit(Array.from({ length: size }, () => rng.normal())).map((x) => x * used * epsilon),
        );
        const images = stack(
          inputs.map(({ pixels }) => pixels),
          shape,
        );
        const from = tf.add(images, stack(offsets, shape));
        const tried = squares.tried({
          ...{ images, from, epsilon: tf.scalar(epsilon) },
          queries: stack(queries, [squares.columns]),
        });
        const moved = values(tf.sub(tried, images));
        offsets.forEach((offset, k) => {
          const own = moved.slice(k * size, (k + 1) * size);
          const wanted = algorithm3(offset, queries[k]!, epsilon, image);
          own.forEach((x, i) => {
            expect(x).toBeCloseTo(wanted[i]!, 5);
          });
          expect(lengthOf(own)).toBeCloseTo(epsilon, 4);
        });
      }
    }
  });

  it('turns a perturbation that is the bumps themselves around', () => {
    const { rng, pixels } = inputs[0]!;
    const query = squares.query(0.5, rng);
    const images = stack([pixels], shape);
    const queries = stack([query], [squares.columns]);
    const opposite = stack([query.map((x, i) => (i < query.length - image[2] ? x : -x))], [squares.columns]);
    const scalar = tf.scalar(epsilon);
    const from = squares.tried({ images, from: images, epsilon: scalar, queries });
    const tried = squares.tried({ images, from, epsilon: scalar, queries: opposite });
    const [before, after] = [values(tf.sub(from, images)), values(tf.sub(tried, images))];
    for (const [i, x] of after.entries()) expect(x).toBeCloseTo(-before[i]!, 4);
  });
});

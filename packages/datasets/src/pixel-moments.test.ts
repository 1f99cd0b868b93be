import { expect, it } from 'vitest';
import { arraySplit, pixelMoments } from './index.js';

it('of two images of two channels, by hand', () => {
  const images = Uint8Array.of(0, 10, 255, 10, 0, 10, 255, 20);
  const { mean, std } = pixelMoments(arraySplit({ shape: [1, 2, 2], classes: 2, images, labels: [0, 1] }));
  expect(mean).toEqual([expect.closeTo(0.5, 12), expect.closeTo(12.5 / 255, 12)]);
  expect(std).toEqual([expect.closeTo(0.5, 12), expect.closeTo(Math.sqrt(18.75) / 255, 12)]);
});

it('a channel without any difference is an error that names it', () => {
  const images = Uint8Array.of(0, 51, 255, 51);
  const split = arraySplit({ shape: [1, 1, 2], classes: 2, images, labels: [0, 1] });
  expect(() => pixelMoments(split)).toThrow('Channel 1 has the value 0.2 in every pixel.');
});

it('a constant whose sums are rounded is no channel with a standard deviation', () => {
  const images = new Float32Array(9 * 12_345).fill(0.7);
  const split = arraySplit({ shape: [3, 3, 1], classes: 2, images, labels: new Uint8Array(12_345) });
  expect(() => pixelMoments(split)).toThrow('Channel 0 has the value 0.69');
});

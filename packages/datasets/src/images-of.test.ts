import { describe, expect, it } from 'vitest';
import { arraySplit, batches, imagesOf, subset } from './index.js';

const split = arraySplit({
  shape: [2],
  classes: 3,
  images: Uint8Array.of(0, 51, 102, 153, 204, 255),
  labels: [0, 2, 1],
});

describe('imagesOf', () => {
  it('is the one batch of a split in its order', () => {
    expect([imagesOf(split)]).toEqual([...batches(split, { batchSize: 3, shuffle: false })]);
    expect([imagesOf(subset(split, 2))]).toEqual([...batches(subset(split, 2), { batchSize: 2, shuffle: false })]);
  });

  it('takes images in any order, and again', () => {
    const { images, labels, shape, indices } = imagesOf(split, [2, 0, 2]);
    expect([...images]).toEqual([204, 255, 0, 51, 204, 255].map((byte) => Math.fround(byte * (1 / 255))));
    expect([[...labels], shape, [...indices]]).toEqual([
      [1, 0, 1],
      [3, 2],
      [2, 0, 2],
    ]);
  });

  it.each([3, -1, 0.5, Number.NaN])('refuses the index %d', (index) => {
    expect(() => imagesOf(split, [0, index])).toThrow(
      expect.objectContaining({ code: 'bad-argument', problem: `Index 1 is ${index}, but the split has 3 images.` }),
    );
  });
});

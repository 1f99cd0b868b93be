import { createRng } from '@cert/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawTransforms } from './augment.js';
import { gatherImages } from './gather.js';
import { type ArraySplit, arraySplit, batches, type SplitBatch } from './index.js';

type Image = readonly (readonly number[])[];

/** Repeats the edge of an image `pad` times on each side. */
function padded(image: Image, pad: number): Image {
  const wide = image.map((row) => [...Array(pad).fill(row[0]), ...row, ...Array(pad).fill(row.at(-1))]);
  return [...Array(pad).fill(wide[0]), ...wide, ...Array(pad).fill(wide.at(-1))];
}

const cut = (image: Image, top: number, left: number, height: number, width: number): Image =>
  image.slice(top, top + height).map((row) => row.slice(left, left + width));
const mirrored = (image: Image): Image => image.map((row) => [...row].reverse());

/** One channel of image `n` of row-major bytes or floats. */
const channelOf = (values: ArrayLike<number>, [h, w, c]: readonly number[], n: number, channel: number): Image =>
  Array.from({ length: h! }, (_, y) =>
    Array.from({ length: w! }, (_, x) => values[((n * h! + y) * w! + x) * c! + channel]!),
  );

describe('gatherImages', () => {
  const shapes = fc.tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 3 }),
  );

  it('crops the padded image and mirrors it, like plain arrays do', () => {
    fc.assert(
      fc.property(shapes, fc.nat(6), fc.boolean(), fc.nat(), (shape, crop, bytes, seed) => {
        const [height, width, channels] = shape;
        const rng = createRng(seed);
        const values = Array.from({ length: 4 * height * width * channels }, () => rng.int(256));
        const images = bytes ? Uint8Array.from(values) : Float32Array.from(values);
        const scale = bytes ? 1 / 255 : 1;
        const indices = Uint32Array.of(2, 0, 3);
        const transforms = drawTransforms(3, { flip: true, crop }, rng);
        const out = gatherImages({ images, scale, shape }, indices, transforms);
        indices.forEach((index, i) => {
          const [flip, down, right] = transforms.subarray(3 * i, 3 * i + 3);
          for (let c = 0; c < channels; c++) {
            const moved = cut(
              padded(channelOf(values, shape, index, c), crop),
              crop + down!,
              crop + right!,
              height,
              width,
            );
            const wanted = (flip === 1 ? mirrored(moved) : moved).map((row) => row.map((v) => Math.fround(v * scale)));
            expect(channelOf(out, shape, i, c)).toEqual(wanted);
          }
        });
      }),
      { numRuns: 100 },
    );
  });

  it('gives images as they are without transforms, and with those that do nothing', () => {
    const images = Uint8Array.from({ length: 24 }, (_, i) => i);
    const split = { images, scale: 1 / 255, shape: [2, 2, 3] };
    const plain = gatherImages(split, Uint32Array.of(1, 0));
    expect([...plain]).toEqual([...images.subarray(12), ...images.subarray(0, 12)].map((v) => Math.fround(v / 255)));
    expect(gatherImages(split, Uint32Array.of(1, 0), new Int16Array(6))).toEqual(plain);
  });
});

describe('drawTransforms', () => {
  const count = 9000;
  const columnsOf = (drawn: Int16Array) => [0, 1, 2].map((k) => Array.from(drawn).filter((_, i) => i % 3 === k));
  const shares = (values: readonly number[]) => {
    const counts = new Map<number, number>();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    return new Map([...counts].sort(([a], [b]) => a - b).map(([value, n]) => [value, n / values.length]));
  };

  it('mirrors half of the images, and every place of the crop is as likely', () => {
    const [flip, down, right] = columnsOf(drawTransforms(count, { flip: true, crop: 2 }, createRng(1)));
    expect(shares(flip!).get(1)).toBeCloseTo(1 / 2, 1);
    for (const moved of [down!, right!]) {
      expect([...shares(moved).keys()]).toEqual([-2, -1, 0, 1, 2]);
      for (const share of shares(moved).values()) expect(share).toBeCloseTo(1 / 5, 1);
    }
    // Independent of each other: of the images that are mirrored, as many are moved down as of the others.
    const both = flip!.filter((mirrors, i) => mirrors === 1 && down![i]! > 0).length / count;
    expect(both).toBeCloseTo(1 / 5, 1);
  });

  it('does only what it is asked to', () => {
    expect([...shares([...drawTransforms(count, { flip: false, crop: 0 }, createRng(1))]).keys()]).toEqual([0]);
    const [flip, down] = columnsOf(drawTransforms(count, { flip: true, crop: 0 }, createRng(1)));
    expect(shares(flip!).size).toBe(2);
    expect(shares(down!).size).toBe(1);
  });

  it('gives the beginning of a split the same whatever follows', () => {
    const augment = { flip: true, crop: 2 };
    expect(drawTransforms(5, augment, createRng(7))).toEqual(drawTransforms(9, augment, createRng(7)).slice(0, 15));
  });
});

describe('batches with augmentation', () => {
  const arrays: ArraySplit = {
    shape: [4, 4, 3],
    classes: 2,
    images: Uint8Array.from({ length: 20 * 48 }, (_, i) => (i * 7) % 256),
    labels: Array.from({ length: 20 }, (_, i) => i % 2),
  };
  const split = arraySplit(arrays);
  const options = { batchSize: 6, seed: 3, epoch: 2, augment: { flip: true, crop: 1 } };
  /** Each image by its index. */
  const byIndex = (list: Iterable<SplitBatch>) => {
    const images: Float32Array[] = [];
    for (const batch of list)
      batch.indices.forEach((index, i) => {
        images[index] = batch.images.slice(48 * i, 48 * (i + 1));
      });
    return images;
  };

  it('do to an image what seed, epoch and its index say, whatever the batch', () => {
    const whole = byIndex(batches(split, options));
    expect(byIndex(batches(split, { ...options, batchSize: 20 }))).toEqual(whole);
    expect(byIndex(batches(split, { ...options, shuffle: false }))).toEqual(whole);
    expect([...batches(split, { ...options, from: 2 })]).toEqual([...batches(split, options)].slice(2));
    expect(byIndex(batches(split, { ...options, epoch: 3 }))).not.toEqual(whole);
    expect(byIndex(batches(split, { ...options, seed: 4 }))).not.toEqual(whole);
  });

  it('leave order and labels as they are without it', () => {
    const { augment: _, ...plain } = options;
    const list = [...batches(split, plain)];
    [...batches(split, options)].forEach(({ indices, labels }, i) => {
      expect(indices).toEqual(list[i]!.indices);
      expect(labels).toEqual(list[i]!.labels);
    });
  });

  it('are the same on every machine: numbers written down', () => {
    // From a first run: others would break the resuming of runs that were started before.
    expect([...drawTransforms(4, { flip: true, crop: 2 }, createRng(0, 'augment', 1))]).toEqual([
      0, -1, 0, 1, 0, 2, 0, 0, 2, 0, 2, 2,
    ]);
  });

  it.each([
    [{ flip: true, crop: -1 }, 'The crop is -1.'],
    [{ flip: true, crop: 0.5 }, 'The crop is 0.5.'],
  ])('refuse %o', (augment, problem) => {
    expect(() => batches(split, { ...options, augment })).toThrow(problem);
  });

  it('refuse images without rows and columns', () => {
    const flat = arraySplit({ ...arrays, shape: [48] });
    expect(() => batches(flat, options)).toThrow(
      'Rows of 48 features cannot be augmented, because they have no rows and columns of pixels.',
    );
  });
});

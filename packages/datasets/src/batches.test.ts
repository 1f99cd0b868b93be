import { CertError } from '@cert/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arraySplit, type BatchOptions, batchCount, batches, type Split, type SplitBatch } from './index.js';

/** `n` images of two pixels that tell the index: (i, 255 - i) as bytes. */
function splitOf(n: number): Split {
  const images = Uint8Array.from({ length: 2 * n }, (_, k) => (k % 2 === 0 ? k / 2 : 255 - (k - 1) / 2));
  return arraySplit({ shape: [1, 2, 1], classes: 7, images, labels: Array.from({ length: n }, (_, i) => i % 7) });
}

const all = (split: Split, options: BatchOptions): SplitBatch[] => [...batches(split, options)];
const order = (split: Split, options: BatchOptions) =>
  all(split, options).flatMap((batch) => Array.from(batch.indices));

describe('batches', () => {
  it('give every image once, with its own pixels and label, the last batch partial', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 70 }), fc.nat(), (n, batchSize, seed) => {
        const split = splitOf(n);
        const list = all(split, { batchSize, seed, epoch: 1 });
        expect(list.length).toBe(batchCount(split, batchSize));
        expect(list.flatMap((b) => Array.from(b.indices)).sort((a, b) => a - b)).toEqual(
          Array.from({ length: n }, (_, i) => i),
        );
        list.forEach((batch, k) => {
          const size = k < list.length - 1 ? batchSize : n - batchSize * (list.length - 1);
          expect(batch.shape).toEqual([size, 1, 2, 1]);
          expect(batch.images.length).toBe(2 * size);
          batch.indices.forEach((index, i) => {
            expect(batch.labels[i]).toBe(index % 7);
            expect(batch.images[2 * i]).toBe(Math.fround(index / 255));
            expect(batch.images[2 * i + 1]).toBe(Math.fround((255 - index) / 255));
          });
        });
      }),
      { numRuns: 50 },
    );
  });

  it('have bytes / 255 in float32 for every byte', () => {
    const images = Uint8Array.from({ length: 256 }, (_, i) => i);
    const split = arraySplit({ shape: [256], classes: 2, images, labels: [1] });
    const [batch] = all(split, { batchSize: 1, shuffle: false });
    expect(Array.from(batch!.images)).toEqual(Array.from(images, (byte) => Math.fround(byte / 255)));
  });

  it('keep floats bit for bit', () => {
    const images = Float32Array.of(0.004, 0.1, 0.999);
    const [batch] = all(arraySplit({ shape: [3], classes: 2, images, labels: [0] }), { batchSize: 5 });
    expect(batch!.images).toEqual(images);
    expect(batch!.images).not.toBe(images);
  });

  it('are in an order that depends on seed and epoch alone', () => {
    const split = splitOf(50);
    const first = order(split, { batchSize: 8, seed: 3, epoch: 2 });
    expect(order(split, { batchSize: 8, seed: 3, epoch: 2 })).toEqual(first);
    expect(order(split, { batchSize: 50, seed: 3, epoch: 2 })).toEqual(first);
    expect(order(split, { batchSize: 8, seed: 3, epoch: 3 })).not.toEqual(first);
    expect(order(split, { batchSize: 8, seed: 4, epoch: 2 })).not.toEqual(first);
    expect(order(split, { batchSize: 8, shuffle: false })).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('are the same on every machine: an order written down', () => {
    // From a first run: another order would break the resuming of runs that were started before.
    expect(order(splitOf(10), { batchSize: 4, seed: 0, epoch: 1 })).toEqual([0, 8, 9, 5, 4, 1, 6, 3, 7, 2]);
  });

  it('continue where an epoch stopped', () => {
    const split = splitOf(23);
    const options = { batchSize: 5, seed: 1, epoch: 4 };
    for (let from = 0; from <= 5; from++) {
      expect(all(split, { ...options, from })).toEqual(all(split, options).slice(from));
    }
  });

  it('can be walked more than once', () => {
    const iterable = batches(splitOf(6), { batchSize: 4, seed: 9, epoch: 1 });
    expect([...iterable]).toEqual([...iterable]);
  });

  it.each([
    [{ batchSize: 0 }, 'The batch size is 0.'],
    [{ batchSize: -4 }, 'The batch size is -4.'],
    [{ batchSize: 2.5 }, 'The batch size is 2.5.'],
    [{ batchSize: Number.NaN }, 'The batch size is NaN.'],
    [{ batchSize: 2, seed: 0.5 }, 'The seed is 0.5.'],
    [{ batchSize: 2, epoch: -1 }, 'The epoch is -1.'],
    [{ batchSize: 2, from: 4 }, 'The first batch is 4.'],
  ])('refuse bad options at once (%#)', (options, problem) => {
    const call = () => batches(splitOf(5), options);
    expect(call).toThrow(CertError);
    expect(call).toThrow(problem);
  });
});

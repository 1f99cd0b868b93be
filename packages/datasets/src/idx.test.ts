import { gzipSync } from 'node:zlib';
import { CertError } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { idxFile } from '../test/files.js';
import { idxDataset, parseIdx, parseIdxSplit } from './index.js';

const IMAGES = idxFile([3, 2, 2], [0, 255, 51, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
const LABELS = idxFile([3], [2, 0, 1]);
const named = (bytes: Uint8Array, name = 'images') => ({ name, bytes });

const errorOf = (f: () => unknown): CertError => {
  try {
    f();
  } catch (error) {
    if (error instanceof CertError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('parseIdx', () => {
  it('reads the bytes of the format, spelled out', () => {
    const bytes = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 200, 100);
    expect(parseIdx(named(bytes), 3)).toEqual({ shape: [1, 2, 1], data: Uint8Array.of(200, 100) });
  });

  it('reads files at any address in a buffer', () => {
    const expected = parseIdx(named(IMAGES), 3);
    const same = (bytes: Uint8Array) => {
      const { shape, data } = parseIdx(named(bytes), 3);
      expect([shape, Array.from(data)]).toEqual([expected.shape, Array.from(expected.data)]);
    };
    const shifted = new Uint8Array(IMAGES.length + 3);
    shifted.set(IMAGES, 3);
    same(shifted.subarray(3));
  });

  it('says the expected and the found size of a truncated file, wherever it was cut', () => {
    for (let cut = 0; cut < IMAGES.length; cut++) {
      const expected = cut < 16 ? 'at least 16' : '28';
      expect(errorOf(() => parseIdx(named(IMAGES.subarray(0, cut)), 3))).toMatchObject({
        code: 'bad-file',
        problem: `images should have ${expected} bytes (uncompressed) and has ${cut}.`,
      });
    }
    expect(errorOf(() => parseIdx(named(Buffer.concat([IMAGES, Buffer.alloc(2)])), 3)).problem).toContain(
      'and has 30.',
    );
  });

  it('refuses another magic number: labels for images', () => {
    expect(errorOf(() => parseIdx(named(idxFile([20], Array(20).fill(1))), 3))).toMatchObject({
      code: 'bad-file',
      problem: 'images starts with 0x00000801 instead of 0x00000803.',
    });
    expect(errorOf(() => parseIdx(named(IMAGES, 'labels'), 1)).problem).toBe(
      'labels starts with 0x00000803 instead of 0x00000801.',
    );
  });

  it('says how to decompress a compressed file', () => {
    expect(errorOf(() => parseIdx(named(gzipSync(IMAGES)), 3))).toMatchObject({
      code: 'bad-file',
      problem: 'images is compressed with gzip.',
      cure: expect.stringContaining('gunzipIdx'),
    });
  });
});

describe('parseIdxSplit', () => {
  it('makes images of one channel with values from 0 to 1', () => {
    const split = parseIdxSplit({ images: named(IMAGES), labels: named(LABELS) }, 3);
    expect(split).toMatchObject({ shape: [2, 2, 1], classes: 3, count: 3, scale: 1 / 255 });
    expect(Array.from(split.images.subarray(0, 4))).toEqual([0, 255, 51, 1]);
    expect(Array.from(split.labels)).toEqual([2, 0, 1]);
  });

  it('refuses labels out of range and counts that differ', () => {
    expect(errorOf(() => parseIdxSplit({ images: named(IMAGES), labels: named(LABELS, 'labels') }, 2))).toMatchObject({
      code: 'bad-data',
      problem: 'images with labels: label 0 is 2, but there are 2 classes.',
    });
    expect(
      errorOf(() => parseIdxSplit({ images: named(IMAGES), labels: named(idxFile([2], [0, 1]), 'labels') }, 3)),
    ).toMatchObject({ code: 'shape-mismatch', problem: 'images with labels: 3 images but 2 labels were given.' });
  });
});

it('idxDataset refuses training and test images of different sizes', () => {
  const train = { images: named(IMAGES), labels: named(LABELS) };
  const test = { images: named(idxFile([1, 1, 1], [9])), labels: named(idxFile([1], [0])) };
  expect(errorOf(() => idxDataset({ name: 'mine', classes: 3, train, test }))).toMatchObject({
    code: 'shape-mismatch',
    problem: 'mine: training images have the shape [2,2,1], test images [1,1,1].',
  });
});

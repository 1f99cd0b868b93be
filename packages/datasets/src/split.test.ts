import { CertError } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { type ArraySplit, arrayDataset, arraySplit, batches, checkSplit, pixelMoments, subset } from './index.js';

const good = {
  shape: [1, 2, 1],
  classes: 3,
  images: Float32Array.of(0, 0.5, 1, 0.25, 0.1, 0.9),
  labels: [0, 2, 1],
} satisfies ArraySplit;

const errorOf = (f: () => unknown): CertError => {
  try {
    f();
  } catch (error) {
    if (error instanceof CertError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('arraySplit', () => {
  it('takes floats as they are and bytes as fractions of 255', () => {
    expect(arraySplit(good)).toEqual({ ...good, count: 3, scale: 1, labels: Uint8Array.of(0, 2, 1) });
    const bytes = arraySplit({ ...good, images: Uint8Array.of(0, 255, 1, 2, 3, 4) });
    expect(bytes.scale).toBe(1 / 255);
  });

  it('allows values on the limits of the range after rounding to float32', () => {
    const images = Float32Array.of(0.1, 0.7, 0.1, 0.7, 0.1, 0.7); // as float32: 0.10000000149, 0.69999998807
    expect(() => arraySplit({ ...good, images }, 'mine', { min: 0.1, max: 0.7 })).not.toThrow();
    expect(() => arraySplit({ ...good, images: Uint8Array.of(0, 255, 0, 0, 0, 0) })).not.toThrow();
  });

  const floats = (...values: number[]) => ({ ...good, images: Float32Array.from(values) });
  it.each([
    [
      'a value above the range',
      floats(0, 0.5, 1, 0.25, 1.5, 0.9),
      'bad-data',
      'mine: image 2 has the value 1.5, outside the range [0, 1].',
    ],
    ['a value below the range', floats(0, -0.5, 1, 0.25, 1, 0.9), 'bad-data', 'mine: image 0 has the value -0.5'],
    ['NaN', floats(0, 0.5, 1, Number.NaN, 1, 0.9), 'bad-data', 'mine: image 1 has the value NaN'],
    ['infinity', floats(0, 0.5, 1, 0, 1, Number.POSITIVE_INFINITY), 'bad-data', 'mine: image 2 has the value Infinity'],
    [
      'a label that is too large',
      { ...good, labels: [0, 3, 1] },
      'bad-data',
      'mine: label 1 is 3, but there are 3 classes.',
    ],
    ['a negative label', { ...good, labels: [0, 2, -1] }, 'bad-data', 'mine: label 2 is -1'],
    ['a fractional label', { ...good, labels: [0.5, 2, 1] }, 'bad-data', 'mine: label 0 is 0.5'],
    ['NaN as a label', { ...good, labels: [0, Number.NaN, 1] }, 'bad-data', 'mine: label 1 is NaN'],
    ['too few labels', { ...good, labels: [0, 1] }, 'shape-mismatch', 'mine: 6 pixel values were given.'],
    ['one class', { ...good, classes: 1 }, 'bad-argument', 'mine: classes is 1.'],
    ['more classes than a byte holds', { ...good, classes: 257 }, 'bad-argument', 'mine: classes is 257.'],
    ['no shape', { ...good, shape: [] }, 'bad-argument', 'mine: the shape of one image is [].'],
    ['a fractional shape', { ...good, shape: [1, 1.5] }, 'bad-argument', 'mine: the shape of one image is [1,1.5].'],
  ])('refuses %s', (_, arrays, code, problem) => {
    const error = errorOf(() => arraySplit(arrays, 'mine'));
    expect(error.code).toBe(code);
    expect(error.problem).toContain(problem);
  });
});

describe('checkSplit', () => {
  it('refuses counts that do not agree', () => {
    const split = arraySplit(good);
    expect(errorOf(() => checkSplit({ ...split, labels: Uint8Array.of(0) }, 'mine')).problem).toBe(
      'mine: 3 images but 1 labels were given.',
    );
    expect(errorOf(() => checkSplit({ ...split, count: 2 }, 'mine')).problem).toBe('mine: 6 pixel values were given.');
  });
});

describe('rows of features', () => {
  const rows = { shape: [2], classes: 2, images: Float32Array.of(-3, 250, 0.5, 1e6), labels: [0, 1] };

  it('have one axis and, with null, no range', () => {
    const { train, range } = arrayDataset({ name: 'rows', train: rows, test: rows, range: null });
    expect(range).toBeNull();
    const [batch] = batches(train, { batchSize: 2, shuffle: false });
    expect(batch).toMatchObject({ shape: [2, 2], images: rows.images });
    expect(pixelMoments(train).mean).toEqual([-1.25, 500125]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'must be finite without a range: %d',
    (bad) => {
      const images = Float32Array.of(0, 0, bad, 0);
      expect(errorOf(() => arraySplit({ ...rows, images }, 'rows', null))).toMatchObject({
        code: 'bad-data',
        problem: `rows: image 1 has the value ${bad}.`,
      });
    },
  );

  it('cannot be augmented', () => {
    const options = { batchSize: 2, augment: { flip: true, crop: 0 } };
    expect(() => batches(arraySplit(rows, 'rows', null), options)).toThrow('Rows of 2 features cannot be augmented');
  });
});

describe('arrayDataset', () => {
  it('checks both sets against the range', () => {
    const dataset = arrayDataset({ name: 'mine', train: good, test: good });
    expect(dataset.range).toEqual({ min: 0, max: 1 });
    const test = { ...good, images: Float32Array.of(0, 0, 0, 0, 0, 2) };
    expect(errorOf(() => arrayDataset({ name: 'mine', train: good, test })).problem).toContain(
      'mine, test set: image 2',
    );
  });

  it('refuses sets that do not belong together', () => {
    const test = { ...good, shape: [2, 1, 1] };
    expect(errorOf(() => arrayDataset({ name: 'mine', train: good, test }))).toMatchObject({
      code: 'shape-mismatch',
      problem:
        'mine: training images have the shape [1,2,1] and 3 classes, test images the shape [2,1,1] and 3 classes.',
    });
  });
});

describe('subset', () => {
  const split = arraySplit(good);

  it('takes the first images, and all when there are not more', () => {
    const two = subset(split, 2);
    expect(two.count).toBe(2);
    expect(Array.from(two.labels)).toEqual([0, 2]);
    expect(Array.from(two.images)).toEqual([0, 0.5, 1, 0.25]);
    checkSplit(two, 'two');
    expect(subset(split, 100)).toBe(split);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses %d images', (count) => {
    expect(errorOf(() => subset(split, count))).toMatchObject({
      code: 'bad-argument',
      problem: `The number of images is ${count}.`,
    });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arraySplit, holdOut, type Split } from './index.js';

/** Images that say which one they are. */
const splitOf = (labels: readonly number[], classes = 3): Split =>
  arraySplit({
    ...{ shape: [2], classes, labels },
    images: Float32Array.from({ length: 2 * labels.length }, (_, i) => Math.floor(i / 2) / 1000),
  });

const ids = ({ images, count }: Split) => Array.from({ length: count }, (_, i) => Math.round(1000 * images[2 * i]!));
const countOf = ({ labels }: Split, label: number) => [...labels].filter((each) => each === label).length;

describe('holdOut', () => {
  it('divides the images, keeps their order and labels, and takes the same share of each class', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 12, maxLength: 80 }),
        fc.double({ min: 0.2, max: 0.8, noNaN: true }),
        fc.integer({ min: 0, max: 1000 }),
        (labels, fraction, seed) => {
          const { rest, held } = holdOut(splitOf(labels), { fraction, seed });
          expect([...ids(rest), ...ids(held)].sort((a, b) => a - b)).toEqual(labels.map((_, i) => i));
          for (const part of [rest, held]) {
            expect(ids(part)).toEqual(ids(part).toSorted((a, b) => a - b));
            expect([...part.labels]).toEqual(ids(part).map((i) => labels[i]));
          }
          for (const label of [0, 1, 2]) {
            const count = labels.filter((each) => each === label).length;
            expect(Math.abs(countOf(held, label) - count * fraction)).toBeLessThanOrEqual(1);
            if (count > 0) expect(countOf(rest, label)).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('holds out the share of all, also where classes are small', () => {
    const split = splitOf(
      Array.from({ length: 30 }, (_, i) => i % 10),
      10,
    );
    expect(holdOut(split, { fraction: 0.2 }).held.count).toBe(6);
    expect(countOf(holdOut(split, { fraction: 0.2 }).held, 9)).toBe(0);
  });

  it('depends on the seed and nothing else', () => {
    const split = splitOf(Array.from({ length: 60 }, (_, i) => i % 3));
    const held = (seed: number) => ids(holdOut(split, { fraction: 0.25, seed }).held);
    expect(held(1)).toEqual(held(1));
    expect(held(1)).not.toEqual(held(2));
  });

  it('with times holds out the latest images', () => {
    const { rest, held } = holdOut(splitOf([0, 1, 2, 0, 1]), { fraction: 0.4, times: [50, 10, 40, 40, 20] });
    expect([ids(rest), ids(held)]).toEqual([
      [1, 2, 4],
      [0, 3],
    ]);
  });

  it('keeps bytes, their scale, and memory that threads share', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    shared.set([0, 1, 2, 3, 4, 5, 6, 7]);
    const split: Split = {
      ...{ shape: [2], classes: 1, count: 4, scale: 1 / 255 },
      ...{ images: shared, labels: new Uint8Array(4) },
    };
    const { rest, held } = holdOut(split, { fraction: 0.5 });
    expect(held.images).toBeInstanceOf(Uint8Array);
    expect(held.scale).toBe(1 / 255);
    expect(rest.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...rest.images, ...held.images].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it.each([0, 1, 0.01, Number.NaN])('refuses the share %d, which leaves a part empty', (fraction) => {
    expect(() => holdOut(splitOf([0, 0, 1, 1]), { fraction })).toThrow(
      expect.objectContaining({
        code: 'bad-argument',
        problem: `A share of ${fraction} of 4 training images cannot be held out: each part needs an image.`,
      }),
    );
  });

  it('refuses another number of times', () => {
    expect(() => holdOut(splitOf([0, 0]), { fraction: 0.5, times: [1] })).toThrow('1 times were given for 2 images.');
  });
});

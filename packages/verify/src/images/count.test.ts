import { describe, expect, it } from 'vitest';
import { countResults } from './count.js';
import { firstVerifier, type ImageResult } from './result.js';

const methods = ['cheap', 'tight'];
/** Results of images of class 0: the margin, what the methods gave and the margin that an attack found. */
const image = (
  index: number,
  margin: number | null,
  lower: ImageResult['lower'] = {},
  attack: ImageResult['attack'] = null,
): ImageResult => {
  const evidence = { index, label: 0, prediction: margin === null ? null : margin > 0 ? 0 : 1, margin, lower, attack };
  return { ...evidence, verifiedBy: firstVerifier(evidence, methods) };
};
const withstood = { found: false, margin: 0.1 };
const broken = { found: true, margin: -0.1 };
const proportion = (count: number, images: number) =>
  expect.objectContaining({ count, fraction: count / images, interval: [expect.any(Number), expect.any(Number)] });

describe('countResults', () => {
  const all = [
    image(0, 2, { cheap: 1 }),
    image(1, 2, { cheap: 1e-9 }),
    // A lower margin of 0 does not exclude a tie.
    image(11, 2, { cheap: 0 }),
    image(2, 2, { cheap: -1, tight: 0.5 }, withstood),
    image(3, 2, { cheap: null, tight: 0.5 }, withstood),
    image(4, 2, { cheap: null, tight: -0.5 }, withstood),
    image(5, 2, { cheap: -1, tight: null }, withstood),
    image(6, 2, { cheap: -1, tight: -1 }, withstood),
    image(7, 2, { cheap: -1 }, broken),
    image(8, -1),
    // A tie, and a logit that is not finite.
    image(9, 0),
    image(10, null),
  ];
  const results = all.filter(({ index }) => index !== 11);

  it('counts each image where it belongs', () => {
    expect(countResults(results, { methods, attack: {} })).toEqual({
      images: 11,
      standardError: proportion(3, 11),
      pgdError: proportion(4, 11),
      methods: {
        cheap: { tried: 8, verified: 2, notFinite: 2, verifiedError: proportion(9, 11), aloneError: null },
        // What a cheaper method verified counts as verified, though this one was not run on it.
        tight: { tried: 5, verified: 2, notFinite: 1, verifiedError: proportion(7, 11), aloneError: null },
      },
      arithmetic: null,
      undecided: 3,
      undecidedNotFinite: 2,
      logitsNotFinite: 1,
    });
    expect(results.map(({ verifiedBy }) => verifiedBy)).toEqual([
      ...['cheap', 'cheap', 'tight', 'tight'],
      ...Array.from({ length: 7 }, () => null),
    ]);
  });

  it('counts by arithmetic, a claim for every weaker one', () => {
    const at = (index: number, levels: ImageResult['levels']): ImageResult => {
      const lower = Object.fromEntries(Object.entries(levels!).map(([name, own]) => [name, own.deployed ?? null]));
      const evidence = { ...image(index, 2, lower), levels: levels! };
      return { ...evidence, verifiedBy: firstVerifier(evidence, methods) };
    };
    const some = [
      at(0, { cheap: { deployed: 1, step: 'float32' } }),
      at(1, { cheap: { deployed: 0.1, nearest: 0.2, step: 'float64' } }),
      at(2, { cheap: { deployed: -0.1, nearest: 0.2, real: 0.1, step: 'float64' }, tight: { nearest: -1 } }),
      at(3, { cheap: { deployed: 0, nearest: 0.2, real: 0, step: 'float64' }, tight: { nearest: 0.1 } }),
      at(4, { cheap: { deployed: null, nearest: -0.2, step: 'float32' }, tight: { nearest: -1 } }),
    ];
    const counts = countResults(some, { methods, attack: null, arithmetic: 'deployed' });
    expect(counts.arithmetic).toEqual({
      levels: {
        nearest: { verifiedError: proportion(1, 5) },
        real: { verifiedError: proportion(2, 5) },
        deployed: { verifiedError: proportion(3, 5) },
      },
      steps: { float32: 1, float64: 1 },
    });
    expect(counts.methods.tight!.verifiedError).toEqual(proportion(3, 5));
    expect(counts.undecidedNotFinite).toBe(1);
    const { levels } = countResults(some, { methods, attack: null, arithmetic: 'real' }).arithmetic!;
    expect(Object.keys(levels)).toEqual(['nearest', 'real']);
  });

  it('does not take a lower margin of 0 for a proof', () => {
    expect(all[2]).toMatchObject({ lower: { cheap: 0 }, verifiedBy: null });
  });

  it('gives the error of a method alone where it was run on every image', () => {
    const complete = [
      image(0, 2, { cheap: 1, tight: -0.1 }, withstood),
      image(1, 2, { cheap: -1, tight: 1 }, withstood),
      image(2, 2, { cheap: -1, tight: -1 }, broken),
      image(3, -2, { cheap: -4, tight: -3 }),
    ];
    expect(countResults(complete, { methods, attack: {} }).methods).toMatchObject({
      cheap: { verifiedError: proportion(3, 4), aloneError: proportion(3, 4) },
      tight: { verifiedError: proportion(2, 4), aloneError: proportion(3, 4) },
    });
  });

  it('never takes an image for verified of which a misclassified point is known', () => {
    // Lower margin and attack agree up to rounding.
    const touched = [image(0, 0.2, { cheap: 0 }, { found: true, margin: -1e-7 })];
    expect(countResults(touched, { methods: ['cheap'], attack: {} })).toMatchObject({
      ...{ pgdError: proportion(1, 1), methods: { cheap: { verified: 0, verifiedError: proportion(1, 1) } } },
    });
  });

  it('without an attack has no PGD error', () => {
    const counts = countResults([image(0, 1, { cheap: 1 })], { methods: ['cheap'], attack: null });
    expect(counts.pgdError).toBe(null);
    expect(counts.standardError).toEqual({ count: 0, fraction: 0, interval: [0, expect.closeTo(0.975, 12)] });
  });
});

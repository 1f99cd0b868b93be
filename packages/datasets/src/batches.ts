import { CertError, createRng, type HostBatch, type Shape } from '@cert/core';
import { checkAugmentation, drawTransforms, transformsOf } from './augment.js';
import { gatherImages } from './gather.js';
import type { Augmentation, Split } from './split.js';

/** A minibatch of a split; pixel values are stored values times `scale` of the split. */
export interface SplitBatch extends HostBatch {
  /** [images in this batch, ...shape of one image]. */
  readonly shape: Shape;
  /** Index of each image in the split. */
  readonly indices: Uint32Array;
}

/** Options of {@link batches}. */
export interface BatchOptions {
  /** Images per batch; the last batch holds what remains. */
  readonly batchSize: number;
  /** Seed; order and augmentation depend only on `seed` and `epoch`. Default 0. */
  readonly seed?: number | undefined;
  /** A whole number >= 0; each epoch has a different order. Default 0. */
  readonly epoch?: number | undefined;
  /** Default true; false keeps the order of the split. */
  readonly shuffle?: boolean | undefined;
  /** First batch to return, from 0, to resume an interrupted epoch. Default 0. */
  readonly from?: number | undefined;
  /** Random augmentation, which depends only on `seed`, `epoch` and the index in the split. Default: none. */
  readonly augment?: Augmentation | undefined;
}

/**
 * Returns the number of batches in an epoch, including a partial last batch.
 *
 * @throws CertError `bad-argument` for a batch size that is not a positive whole number
 */
export function batchCount(split: Split, batchSize: number): number {
  checkWhole('The batch size', batchSize, 1);
  return Math.ceil(split.count / batchSize);
}

/**
 * Iterates over a split in batches, each image once. The order comes from `createRng(seed, 'batches', epoch)`, is the same on every machine
 * and does not depend on `batchSize` or `from`; augmentation is drawn from `createRng(seed, 'augment', epoch)` in the order of the split.
 * Every batch has new arrays.
 *
 * @throws CertError `bad-argument` for an invalid batch size, seed, epoch, start or augmentation
 */
export function batches(split: Split, options: BatchOptions): Iterable<SplitBatch> {
  const planned = planBatches(split, options);
  return {
    *[Symbol.iterator]() {
      for (const plan of planned) yield toBatch(split, plan, gatherImages(split, plan.indices, plan.transforms));
    },
  };
}

/** A batch before its pixels are gathered. */
export interface PlannedBatch {
  /** Its number in the epoch, from 0. */
  readonly batch: number;
  readonly indices: Uint32Array;
  /** What augmentation does to each of them (see {@link drawTransforms}). */
  readonly transforms: Int16Array | undefined;
}

/** The batches that {@link batches} gathers. */
export function planBatches(split: Split, options: BatchOptions): Iterable<PlannedBatch> {
  const { batchSize, seed = 0, epoch = 0, shuffle = true, from = 0, augment } = options;
  const count = batchCount(split, batchSize);
  checkWhole('The seed', seed, Number.MIN_SAFE_INTEGER);
  checkWhole('The epoch', epoch, 0);
  checkWhole('The first batch', from, 0, count);
  if (augment !== undefined) checkAugmentation(augment, split.shape);
  return {
    *[Symbol.iterator]() {
      const order = shuffle
        ? createRng(seed, 'batches', epoch).permutation(split.count)
        : Uint32Array.from({ length: split.count }, (_, i) => i);
      const drawn = augment && drawTransforms(split.count, augment, createRng(seed, 'augment', epoch));
      for (let batch = from; batch < count; batch++) {
        const indices = order.slice(batch * batchSize, (batch + 1) * batchSize);
        yield { batch, indices, transforms: drawn && transformsOf(drawn, indices) };
      }
    },
  };
}

/** A batch of pixels that were gathered. */
export const toBatch = (
  { shape, labels, targets }: Split,
  { indices }: Pick<PlannedBatch, 'indices'>,
  images: Float32Array,
): SplitBatch => ({
  images,
  labels: Int32Array.from(indices, (index) => labels[index]!),
  ...(targets && { targets: Float32Array.from(indices, (index) => targets[index]!) }),
  shape: [indices.length, ...shape],
  indices,
});

/** @throws CertError `bad-argument` unless the value is a whole number from `least` to `most` */
export function checkWhole(what: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const limit = most < Number.MAX_SAFE_INTEGER ? ` and at most ${most}` : '';
  throw new CertError('bad-argument', `${what} is ${value}.`, `Give a whole number of at least ${least}${limit}.`);
}

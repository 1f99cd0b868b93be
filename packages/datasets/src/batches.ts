import { CertError, createRng, type Shape } from '@cert/core';
import type { Split } from './split.js';

/** A minibatch on the host. */
export interface HostBatch {
  /** Pixel values, row-major, in the units of the model's input. */
  readonly images: Float32Array;
  /** Class indices, one per image. */
  readonly labels: Int32Array;
  /** [images in this batch, ...shape of one image]. */
  readonly shape: Shape;
  /** Where each image stands in the split. */
  readonly indices: Uint32Array;
}

/** Options of {@link batches}. */
export interface BatchOptions {
  /** Images per batch; the last batch holds what remains. */
  readonly batchSize: number;
  /** With `epoch`, all that the order depends on. Not needed without shuffling. */
  readonly seed?: number | undefined;
  readonly epoch?: number | undefined;
  /** Default true; false keeps the order of the split. */
  readonly shuffle?: boolean | undefined;
  /** The first batch to give, counted from 0: where an interrupted epoch goes on. Default 0. */
  readonly from?: number | undefined;
}

/**
 * The number of batches of an epoch, the last partial one included.
 *
 * @throws CertError `bad-argument` for a batch size that is not a positive whole number
 */
export function batchCount(split: Split, batchSize: number): number {
  checkWhole('The batch size', batchSize, 1);
  return Math.ceil(split.count / batchSize);
}

/**
 * The images of a split in batches, each image once. The order is that of `createRng(seed, 'batches', epoch)`, the same on every
 * machine, and does not depend on `batchSize` or `from`. Every batch has arrays of its own.
 *
 * @throws CertError `bad-argument` for a batch size, seed, epoch or start that is out of its domain
 */
export function batches(split: Split, options: BatchOptions): Iterable<HostBatch> {
  const { batchSize, seed = 0, epoch = 0, shuffle = true, from = 0 } = options;
  const count = batchCount(split, batchSize);
  checkWhole('The seed', seed, Number.MIN_SAFE_INTEGER);
  checkWhole('The epoch', epoch, 0);
  checkWhole('The first batch', from, 0, count);
  return {
    *[Symbol.iterator]() {
      const order = shuffle
        ? createRng(seed, 'batches', epoch).permutation(split.count)
        : Uint32Array.from({ length: split.count }, (_, i) => i);
      for (let batch = from; batch < count; batch++) {
        yield gather(split, order.slice(batch * batchSize, (batch + 1) * batchSize));
      }
    },
  };
}

/** Copies the images at some indices of a split. */
function gather({ images, labels, scale, shape }: Split, indices: Uint32Array): HostBatch {
  const size = shape.reduce((a, b) => a * b, 1);
  const out = new Float32Array(indices.length * size);
  indices.forEach((index, i) => {
    out.set(images.subarray(index * size, (index + 1) * size), i * size);
  });
  if (scale !== 1) for (let i = 0; i < out.length; i++) out[i]! *= scale;
  return {
    images: out,
    labels: Int32Array.from(indices, (index) => labels[index]!),
    shape: [indices.length, ...shape],
    indices,
  };
}

function checkWhole(what: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const limit = most < Number.MAX_SAFE_INTEGER ? ` and at most ${most}` : '';
  throw new CertError('bad-argument', `${what} is ${value}.`, `Give a whole number of at least ${least}${limit}.`);
}

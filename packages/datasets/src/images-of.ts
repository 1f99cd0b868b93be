import { CertError } from '@cert/core';
import { type SplitBatch, toBatch } from './batches.js';
import { gatherImages } from './gather.js';
import type { Split } from './split.js';

/**
 * Returns images of a split as one batch: the images at some indices, or all. For the first N images: `imagesOf(subset(split, N))`.
 *
 * @param indices indices in the split, from 0, in any order; default: all, in order
 * @throws CertError `bad-argument` for an index outside the split
 */
export function imagesOf(split: Split, indices?: ArrayLike<number>): SplitBatch {
  const { count } = split;
  const places = indices ?? Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < places.length; i++) {
    const index = places[i]!;
    if (Number.isInteger(index) && index >= 0 && index < count) continue;
    throw new CertError(
      'bad-argument',
      `Index ${i} is ${index}, but the split has ${count} images.`,
      `Give whole numbers from 0 to ${count - 1}.`,
    );
  }
  const plan = { indices: Uint32Array.from(places) };
  return toBatch(split, plan, gatherImages(split, plan.indices));
}

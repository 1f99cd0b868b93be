import { CertError } from '@cert/core';
import { type SplitBatch, toBatch } from './batches.js';
import { gatherImages } from './gather.js';
import type { Split } from './split.js';

/**
 * Images of a split as one batch: those at some indices, or all. The first ones are `imagesOf(subset(split, count))`.
 *
 * @param indices places in the split, from 0, in any order; default: all, in the order of the split
 * @throws CertError `bad-argument` for an index that is no place in the split
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

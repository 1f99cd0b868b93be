import { createHash } from 'node:crypto';
import { imagesOf, type Split } from '@cert/datasets';
import { sha256 } from '@cert/models';
import type { StoredResult } from './settings.js';

/**
 * Returns the hash by which the lines of an evaluation know their inputs: 16 hexadecimal digits of the SHA-256 of the input's float32 values.
 *
 * @param index of the input in the split
 */
export function inputHash(split: Split, index: number): string {
  const { buffer, byteOffset, byteLength } = imagesOf(split, [index]).images;
  return sha256(new Uint8Array(buffer, byteOffset, byteLength)).slice(0, 16);
}

/** Returns the SHA-256 by which an evaluation knows all inputs of a split with their labels, in hexadecimal: that of {@link resultsHash}. */
export const splitHash = (split: Split): string =>
  resultsHash(
    Array.from({ length: split.count }, (_, index) => ({
      label: split.labels[index]!,
      input: inputHash(split, index),
    })),
  );

/** Returns the SHA-256 of the inputs that results are about, with their labels, in hexadecimal. @param results of all inputs, in order */
export function resultsHash(results: readonly Pick<StoredResult, 'label' | 'input'>[]): string {
  const hash = createHash('sha256');
  for (const { label, input } of results) hash.update(`${input} ${label}\n`);
  return hash.digest('hex');
}

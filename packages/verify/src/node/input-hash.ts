import { createHash } from 'node:crypto';
import { imagesOf, type Split } from '@cert/datasets';
import { sha256 } from '@cert/models';

/**
 * Returns the hash by which the lines of an evaluation know their inputs: 16 hexadecimal digits of the SHA-256 of the input's float32 values.
 *
 * @param index of the input in the split
 */
export function inputHash(split: Split, index: number): string {
  const { buffer, byteOffset, byteLength } = imagesOf(split, [index]).images;
  return sha256(new Uint8Array(buffer, byteOffset, byteLength)).slice(0, 16);
}

/** Returns the SHA-256 of all inputs of a split and their labels, in hexadecimal. */
export function splitHash(split: Split): string {
  const hash = createHash('sha256');
  for (let index = 0; index < split.count; index++) {
    const { images, labels } = imagesOf(split, [index]);
    hash.update(new Uint8Array(images.buffer, images.byteOffset, images.byteLength));
    hash.update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength));
  }
  return hash.digest('hex');
}

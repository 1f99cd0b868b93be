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

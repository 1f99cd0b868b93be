import { createHash } from 'node:crypto';

/** An IDX file of bytes, written as the format says: magic number, length of each axis, elements. */
export function idxFile(shape: readonly number[], elements: readonly number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt8(0x08, 2);
  header.writeUInt8(shape.length, 3);
  shape.forEach((n, axis) => {
    header.writeUInt32BE(n, 4 + 4 * axis);
  });
  return Buffer.concat([header, Uint8Array.from(elements)]);
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

import { createHash } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';

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

/** A zip archive; names that end in '/' are folders, text files are compressed. */
export function zipFile(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const [bodies, directory]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const [path, content] of Object.entries(files)) {
    const name = Buffer.from(path);
    const compressed = path.endsWith('.txt');
    const data = compressed ? deflateRawSync(content) : content;
    // What the head of a file and its entry in the directory have in common: version 2.0, method, checksum, sizes.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(compressed ? 8 : 0, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, data]);
    directory.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), common, place, name);
    bodies.push(body);
    offset += body.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22, 'PK\x05\x06');
  end.fill(0, 4);
  end.writeUInt16LE(bodies.length, 8);
  end.writeUInt16LE(bodies.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, entries, end]);
}

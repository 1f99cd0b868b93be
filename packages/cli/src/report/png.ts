import { crc32, deflateSync } from 'node:zlib';

/** The signature of every PNG file (PNG specification, section 5.2). */
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Codes of the colour type (section 11.2.2). */
const COLOR_TYPES = { 1: 0, 3: 2 } as const;

/** Bytes of an image, row by row. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** Gray, or red, green and blue. */
  readonly channels: 1 | 3;
  /** [height, width, channels]. */
  readonly bytes: Uint8Array;
}

/** An image as a PNG file, without filters: 8 bits for each number. */
export function encodePng({ width, height, channels, bytes }: Raster): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, COLOR_TYPES[channels], 0, 0, 0], 8);
  const stride = width * channels;
  const rows = Buffer.alloc(height * (stride + 1));
  for (let y = 0; y < height; y++) rows.set(bytes.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The same as a URL that a page can hold. */
export const pngUrl = (raster: Raster): string => `data:image/png;base64,${encodePng(raster).toString('base64')}`;

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(content.length, 0);
  out.set(body, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

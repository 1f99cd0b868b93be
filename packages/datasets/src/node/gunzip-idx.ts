import { constants, gunzipSync } from 'node:zlib';
import { CertError } from '@cert/core';
import { idxSize, isGzip, type NamedBytes, wrongSize } from '../idx.js';

/** The compressed bytes that are looked at for the header: more than any name that a gzip file begins with. */
const BEGINNING = 1 << 16;
/** Most bytes that deflate makes of one. */
const MOST_PER_BYTE = 1032;

/** Options of {@link gunzipIdx}. */
export interface GunzipOptions {
  /** Maximum uncompressed size in bytes, checked against the header before decompression. Default 1 GiB. */
  readonly maxBytes?: number | undefined;
}

const MAX_BYTES = 2 ** 30;

/**
 * Decompresses an IDX file, at most up to the size in its header.
 *
 * @param file compressed with gzip, or uncompressed (returned unchanged)
 * @param axes number of axes: 3 for images, 1 for labels
 * @returns the file with the same name, for `parseIdx`
 * @throws CertError `bad-file` for damaged gzip data, content whose size does not match the header, and more than `maxBytes`
 */
export function gunzipIdx(file: NamedBytes, axes: number, { maxBytes = MAX_BYTES }: GunzipOptions = {}): NamedBytes {
  const { name, bytes } = file;
  if (!isGzip(bytes)) return file;
  const header = 4 + 4 * axes;
  const head = gunzip(name, bytes.subarray(0, BEGINNING), {
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: BEGINNING * MOST_PER_BYTE,
  });
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  // What is not such a file need not be decompressed to be refused by parseIdx.
  if (head.length >= header && view.getUint32(0) !== 0x0800 + axes) return { name, bytes: head.subarray(0, header) };
  const shape = Array.from({ length: axes }, (_, axis) => (head.length < header ? 0 : view.getUint32(4 + 4 * axis)));
  const expected = idxSize(shape);
  const possible = bytes.length * MOST_PER_BYTE;
  if (expected > possible) throw wrongSize(name, String(expected), `at most ${possible}`);
  if (expected > maxBytes) {
    throw new CertError(
      'bad-file',
      `${name} contains an array of shape [${shape}], ${expected} bytes uncompressed; the limit is ${maxBytes} bytes.`,
      'Check that this is the right file. For a larger dataset, pass maxBytes to gunzipIdx and the arrays to idxDataset.',
    );
  }
  return { name, bytes: gunzip(name, bytes, { maxOutputLength: expected }, expected) };
}

function gunzip(name: string, bytes: Uint8Array, options: Parameters<typeof gunzipSync>[1], expected = 0): Uint8Array {
  try {
    return gunzipSync(bytes, options);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw wrongSize(name, String(expected), 'more');
    }
    throw new CertError(
      'bad-file',
      `${name} is damaged: it cannot be decompressed (${cause instanceof Error ? cause.message : cause}).`,
      'Download or copy the file again.',
      { cause },
    );
  }
}

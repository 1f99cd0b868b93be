import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type Shape, sizeOf } from '@cert/core';
import { type Split, subset, withoutImages } from '../split.js';
import { sharedBytes } from './shared-bytes.js';
import type { WantedImages } from './wanted-images.js';
import { writeAtomically } from './write-atomically.js';

/** Decoded images with their classes. */
export interface DecodedImages {
  readonly shape: Shape;
  readonly classNames: readonly string[];
  readonly train: Split;
  readonly test: Split;
}

/** What stands at the beginning of a cached file, as JSON, after a word, the JSON's length and the CRC-32 of all that follows. */
interface Header {
  readonly key: string;
  readonly shape: Shape;
  readonly classNames: readonly string[];
  readonly train: number;
  readonly test: number;
}

const MAGIC = 'certimg1';
const PREFIX = MAGIC.length + 8;
/** Bytes that are read and checked at a time. */
const CHUNK = 1 << 26;

/**
 * Images that were decoded before, from a file of the cache: when it was written for the same key and is not damaged. Else makes
 * them and writes the file.
 *
 * @param key differs when other images would come out
 * @throws CertError those of `make`; `bad-file` when the file cannot be written
 */
async function cachedImages(path: string, key: string, make: () => Promise<DecodedImages>): Promise<DecodedImages> {
  const cached = await readCached(path, key);
  if (cached !== undefined) return cached;
  const made = await make();
  const { shape, classNames, train, test } = made;
  const body = [train.labels, test.labels, train.images, test.images].map(bytesOf);
  const header: Header = { key, shape, classNames, train: train.count, test: test.count };
  const parts = [Buffer.from(JSON.stringify(header)), ...body];
  const prefix = Buffer.alloc(PREFIX, MAGIC);
  prefix.writeUInt32LE(parts[0]!.length, MAGIC.length);
  // A SHA-256 takes longer than reading the file, and only damage has to be found.
  prefix.writeUInt32LE(
    parts.reduce((sum, part) => crc32(part, sum), 0),
    MAGIC.length + 4,
  );
  await writeAtomically(path, [prefix, ...parts]);
  return made;
}

/**
 * Those of {@link cachedImages} that are wanted: out of the file of all where there is one, else decoded and kept in a file of their own.
 *
 * @param fileOf the path of a file, which differs where `part` does; that of all images has an empty one
 */
export async function cachedPart(
  fileOf: (part: readonly unknown[]) => string,
  key: string,
  { splits = 'both', limit }: WantedImages,
  make: () => Promise<DecodedImages>,
): Promise<DecodedImages> {
  const all = fileOf([]);
  if (splits === 'both' && limit === undefined) return cachedImages(all, key, make);
  const whole = await readCached(all, key);
  if (whole === undefined) return cachedImages(fileOf([splits, limit ?? null]), key, make);
  const cut = (split: Split) => (limit === undefined ? split : subset(split, limit));
  return { ...whole, train: splits === 'test' ? withoutImages(whole.train) : cut(whole.train), test: cut(whole.test) };
}

/** A short text that differs when the values do. */
export const digest = (values: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(values)).digest('hex');

const bytesOf = ({ buffer, byteOffset, byteLength }: Split['images']) => new Uint8Array(buffer, byteOffset, byteLength);

async function readCached(path: string, key: string): Promise<DecodedImages | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const prefix = await readAt(file, 0, PREFIX);
    if (prefix.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined;
    const length = prefix.readUInt32LE(MAGIC.length);
    if (PREFIX + length > size) return undefined;
    const json = await readAt(file, PREFIX, length);
    const header: Header = JSON.parse(json.toString());
    if (header.key !== key) return undefined;
    const pixels = sizeOf(header.shape);
    const bytes = (header.train + header.test) * (1 + pixels);
    // Before memory is taken: a damaged header may say anything.
    if (PREFIX + length + bytes !== size) return undefined;
    const body = sharedBytes(bytes);
    let crc = crc32(json);
    for (let at = 0; at < body.length; at += CHUNK) {
      const part = body.subarray(at, at + CHUNK);
      const { bytesRead } = await file.read(part, 0, part.length, PREFIX + length + at);
      if (bytesRead !== part.length) return undefined;
      crc = crc32(part, crc);
    }
    if (crc !== prefix.readUInt32LE(MAGIC.length + 4)) return undefined;
    const count = header.train + header.test;
    return splitImages(header, body.subarray(0, count), body.subarray(count));
  } catch {
    // Whatever is wrong with a cached file, the images can be decoded again.
    return undefined;
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** Training and test images that lie one after the other. */
export function splitImages(
  { shape, classNames, train }: Pick<Header, 'shape' | 'classNames' | 'train'>,
  labels: Uint8Array,
  images: Uint8Array,
): DecodedImages {
  const pixels = sizeOf(shape);
  const split = (from: number, to: number): Split => ({
    shape,
    classes: classNames.length,
    count: to - from,
    images: images.subarray(from * pixels, to * pixels),
    scale: 1 / 255,
    labels: labels.subarray(from, to),
  });
  return { shape, classNames, train: split(0, train), test: split(train, labels.length) };
}

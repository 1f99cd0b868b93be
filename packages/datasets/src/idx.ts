/** The IDX format of MNIST: a magic number (element type, number of axes), the length of each axis (big-endian), bytes. */
import { CertError, sizeOf } from '@cert/core';
import { checkSplit, type Dataset, type Split, withoutImages } from './split.js';

/** A file in memory, with a name for messages. */
export interface NamedBytes {
  /** Path or other name of the file. */
  readonly name: string;
  /** Its content. */
  readonly bytes: Uint8Array;
}

/** The content of an IDX file with byte elements. */
export interface IdxArray {
  /** Length of each axis. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: Uint8Array;
}

/**
 * Parses an uncompressed IDX file. `gunzipIdx` of `@cert/datasets/node` decompresses a file.
 *
 * @param axes required number of axes: 3 for images, 1 for labels
 * @throws CertError `bad-file`: a compressed file, a wrong magic number, a truncated file (with expected and actual size)
 */
export function parseIdx({ name, bytes: content }: NamedBytes, axes: number): IdxArray {
  if (isGzip(content)) {
    throw new CertError(
      'bad-file',
      `${name} is compressed with gzip.`,
      'Decompress the file first: with gunzipIdx(file, axes) of @cert/datasets/node, or with a DecompressionStream in a browser.',
    );
  }
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const header = 4 + 4 * axes;
  if (content.length < header) throw wrongSize(name, `at least ${header}`, content.length);
  const magic = 0x0800 + axes;
  if (view.getUint32(0) !== magic) {
    throw new CertError(
      'bad-file',
      `${name} starts with ${hex(view.getUint32(0))} instead of ${hex(magic)}.`,
      `Give an IDX file of bytes with ${axes} ${axes === 1 ? 'axis (labels)' : 'axes (images)'}. Check that the files were not swapped.`,
    );
  }
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const expected = idxSize(shape);
  if (content.length !== expected) throw wrongSize(name, String(expected), content.length);
  return { shape, data: content.subarray(header) };
}

/** The two files of a split. */
export interface IdxSplit {
  /** Three axes: [count, height, width]. */
  readonly images: NamedBytes;
  /** One axis: [count]. */
  readonly labels: NamedBytes;
}

/**
 * Returns images [height, width, 1] and labels of two IDX files; pixel values are bytes / 255.
 *
 * @throws CertError `bad-file` as {@link parseIdx}; `shape-mismatch` for counts that differ; `bad-data` for labels out of range
 */
export function parseIdxSplit({ images, labels }: IdxSplit, classes: number): Split {
  const { shape, data } = parseIdx(images, 3);
  const [count, height, width] = shape as [number, number, number];
  const split = {
    shape: [height, width, 1],
    classes,
    count,
    images: data,
    scale: 1 / 255,
    labels: parseIdx(labels, 1).data,
  };
  return checkSplit(split, `${images.name} with ${labels.name}`);
}

/** Options of {@link idxDataset}. */
export interface IdxDataset {
  /** Name in messages. */
  readonly name: string;
  /** Number of classes; labels are below it. */
  readonly classes: number;
  /** Names of the classes, in label order; default: none. */
  readonly classNames?: readonly string[] | undefined;
  /** The training images; if omitted, the training split is empty. */
  readonly train?: IdxSplit | undefined;
  /** The test images, of the same size. */
  readonly test: IdxSplit;
}

/**
 * Returns a dataset of four IDX files; pixel values are bytes / 255, in [0, 1].
 *
 * @throws CertError as {@link parseIdxSplit}; `shape-mismatch` when training and test images differ in size
 */
export function idxDataset({ name, classes, classNames, train, test }: IdxDataset): Dataset {
  const parsed = parseIdxSplit(test, classes);
  const dataset = {
    name,
    train: train === undefined ? withoutImages(parsed) : parseIdxSplit(train, classes),
    test: parsed,
    range: { min: 0, max: 1 },
    ...(classNames && { classNames }),
  };
  const [a, b] = [dataset.train.shape, dataset.test.shape];
  if (String(a) !== String(b)) {
    throw new CertError(
      'shape-mismatch',
      `${name}: training images have the shape [${a}], test images [${b}].`,
      'Both sets must have the same image shape; check that the files belong together.',
    );
  }
  return dataset;
}

/** Bytes of an IDX file of such a shape, header included. */
export const idxSize = (shape: readonly number[]): number => 4 + 4 * shape.length + sizeOf(shape);

/** Whether bytes begin as a gzip file does. No IDX file begins so. */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

const hex = (n: number) => `0x${n.toString(16).padStart(8, '0')}`;

/** The error for a file that has another size than it says. */
export const wrongSize = (name: string, expected: string, found: number | string) =>
  new CertError(
    'bad-file',
    `${name} should have ${expected} bytes (uncompressed) and has ${found}.`,
    'Download or copy the file again.',
  );

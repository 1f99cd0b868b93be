import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CertError } from '@cert/core';
import { extract } from 'tar-stream';
import type { NamedBytes } from '../idx.js';
import type { Dataset } from '../split.js';
import { splitImages } from './decoded-cache.js';
import { type ImageFolderOptions, imageFolder } from './image-folder.js';
import { type FileOptions, fetchFiles, type RemoteFiles, readArchive } from './remote-files.js';
import { sharedBytes } from './shared-bytes.js';

const ARCHIVE = 'cifar-10-binary.tar.gz';
/** Where the archive is. */
export const SOURCE: RemoteFiles = {
  name: 'cifar10',
  mirrors: ['https://www.cs.toronto.edu/~kriz/'],
  files: [
    { name: ARCHIVE, sha256: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd', maxBytes: 200e6 },
  ],
};
const UNPACKED = 'cifar-10-batches-bin';
const TRAIN_FILES = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
const TEST_FILE = 'test_batch.bin';
const FILES = [...TRAIN_FILES, TEST_FILE];
const IMAGE_FOLDERS = ['train', 'test', 'val'];
const CLASS_NAMES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const [SIZE, CHANNELS] = [32, 3];
const PLANE = SIZE * SIZE;
const RECORD = 1 + CHANNELS * PLANE;
/** Images in each file. */
const COUNT = 10_000;

/** Mean and standard deviation of the training images' channels, and the augmentation of the paper. */
const USUAL = {
  normalize: { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] },
  augment: { flip: true, crop: 2 },
} as const;

/** Options of {@link cifar10}; decoding options apply to a folder of images, and `limit` only to such a folder. */
export type Cifar10Options = FileOptions & Pick<ImageFolderOptions, 'onProgress' | 'splits' | 'limit'>;

/**
 * CIFAR-10 (Krizhevsky 2009): 50,000 and 10,000 images in ten classes, 32 x 32 x 3, values in [0, 1]; its binary version is downloaded
 * once. `folder` may hold that archive, the unpacked `cifar-10-batches-bin` or its files, or the images as `train/CLASS/*` and
 * `test/CLASS/*` (see {@link imageFolder}; needs sharp).
 *
 * @throws CertError `bad-file` for files that are missing, truncated, damaged or of another format; `no-network`: see {@link FileOptions}
 */
export const cifar10 = (options: Cifar10Options = {}): Promise<Dataset> => readCifar10(options, SOURCE, COUNT);

/** {@link cifar10} from another source, with another number of images in each file. */
export async function readCifar10(options: Cifar10Options, source: RemoteFiles, count: number): Promise<Dataset> {
  const onlyTest = options.splits === 'test';
  const files = onlyTest ? [TEST_FILE] : FILES;
  if (options.folder === undefined) {
    const [archive] = await fetchFiles(source, options);
    return cifar10Dataset(await unpack(archive!, files, count), count);
  }
  const { folder, ...rest } = options;
  const images = onlyTest ? IMAGE_FOLDERS : ['train'];
  const names = await namesIn(folder, [ARCHIVE, UNPACKED, files[0]!, ...images]);
  if (names.includes(ARCHIVE)) {
    return cifar10Dataset(await unpack(await readArchive(join(folder, ARCHIVE)), files, count), count);
  }
  if (images.some((name) => names.includes(name))) return cifar10Images(folder, rest);
  return cifar10Dataset(await readUnpacked(names.includes(UNPACKED) ? join(folder, UNPACKED) : folder, files), count);
}

/** The names in a folder; the error for none of those that are known lists them. */
async function namesIn(folder: string, known: readonly string[]): Promise<readonly string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  if ([...known, ...FILES].some((name) => names.includes(name))) return names;
  throw new CertError(
    'bad-file',
    `cifar10: ${folder} contains neither ${known.join(' nor ')}.`,
    'Put one of these files into the folder, or leave the folder out to download the archive.',
  );
}

async function cifar10Images(folder: string, options: Omit<Cifar10Options, 'folder'>): Promise<Dataset> {
  const dataset = await imageFolder(folder, { ...options, ...USUAL, channels: 3 });
  const { shape } = dataset.train;
  if (String(dataset.classNames) === String(CLASS_NAMES) && shape[0] === SIZE && shape[1] === SIZE)
    return { ...dataset, name: 'cifar10' };
  throw new CertError(
    'bad-file',
    `cifar10: the images in ${folder} are ${shape[1]} x ${shape[0]}, of the classes ${dataset.classNames}.`,
    'Give a folder of CIFAR-10, or read the folder as image-folder.',
  );
}

/** What an archive may hold besides the images: notes, and the heads of the files. */
const BESIDES = 1 << 20;

/** Passes bytes on, and fails when there are more than `most`. */
function atMost(most: number): Transform {
  let total = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      total += chunk.length;
      if (total <= most) done(null, chunk);
      else done(new Error(`it holds more than ${most} bytes`));
    },
  });
}

/** Binary files in an archive, with `count` images in each. */
async function unpack({ name, bytes }: NamedBytes, files: readonly string[], count: number): Promise<NamedBytes[]> {
  const tar = extract();
  const found = new Map<string, Uint8Array>();
  const read = async () => {
    for await (const entry of tar) {
      const file = files.find((wanted) => `/${entry.header.name}`.endsWith(`/${wanted}`));
      if (file !== undefined) checkSize(`${file} in ${name}`, entry.header.size ?? 0, count);
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) if (file !== undefined) chunks.push(chunk);
      if (file !== undefined) found.set(file, Buffer.concat(chunks));
    }
  };
  try {
    const most = FILES.length * count * RECORD + BESIDES;
    await Promise.all([pipeline(Readable.from([bytes]), createGunzip(), atMost(most), tar), read()]);
  } catch (cause) {
    if (cause instanceof CertError) throw cause;
    throw new CertError(
      'bad-file',
      `${name} is damaged: it cannot be unpacked (${cause instanceof Error ? cause.message : cause}).`,
      'Download or copy the file again.',
      { cause },
    );
  }
  return files.map((file) => {
    const content = found.get(file);
    if (content !== undefined) return { name: `${file} in ${name}`, bytes: content };
    throw new CertError(
      'bad-file',
      `${name} does not contain ${file}.`,
      `Give the binary version of CIFAR-10, ${ARCHIVE}; the Python and Matlab versions have other formats.`,
    );
  });
}

const readUnpacked = (folder: string, files: readonly string[]): Promise<NamedBytes[]> =>
  Promise.all(
    files.map(async (file) => {
      const name = join(folder, file);
      try {
        return { name, bytes: await readFile(name) };
      } catch (cause) {
        throw new CertError(
          'bad-file',
          `${name} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
          files.length === 1 ? 'Put the file into the folder.' : `The folder must contain ${files.join(', ')}.`,
          { cause },
        );
      }
    }),
  );

/** @throws CertError `bad-file` for a binary file that does not have the size of `count` images */
function checkSize(name: string, found: number, count: number): void {
  if (found === count * RECORD) return;
  throw new CertError(
    'bad-file',
    `${name} should have ${count * RECORD} bytes and has ${found}.`,
    'Download or copy the file again.',
  );
}

/**
 * The dataset in the six binary files, or in the last one alone, without training images: records of a label and 32 x 32 bytes of red, green and blue each.
 *
 * @param count images in each file
 */
export function cifar10Dataset(files: readonly NamedBytes[], count: number): Dataset {
  const pixels = CHANNELS * PLANE;
  const labels = new Uint8Array(files.length * count);
  const images = sharedBytes(files.length * count * pixels);
  for (const [i, { name, bytes }] of files.entries()) {
    checkSize(name, bytes.length, count);
    for (let k = 0; k < count; k++) {
      const [from, to] = [k * RECORD, i * count + k];
      const label = bytes[from]!;
      if (label >= CLASS_NAMES.length) {
        throw new CertError(
          'bad-file',
          `${name}: image ${k} has the label ${label}, but CIFAR-10 has ${CLASS_NAMES.length} classes.`,
          'Give the binary version of CIFAR-10; CIFAR-100 has a different record format.',
        );
      }
      labels[to] = label;
      for (let c = 0; c < CHANNELS; c++) {
        const plane = from + 1 + c * PLANE;
        for (let p = 0; p < PLANE; p++) images[to * pixels + p * CHANNELS + c] = bytes[plane + p]!;
      }
    }
  }
  const shape = [SIZE, SIZE, CHANNELS];
  const { train, test } = splitImages(
    { shape, classNames: CLASS_NAMES, train: (files.length - 1) * count },
    labels,
    images,
  );
  return { name: 'cifar10', train, test, range: { min: 0, max: 1 }, classNames: CLASS_NAMES, ...USUAL };
}

import { basename, join, resolve } from 'node:path';
import { CertError, type Normalization } from '@cert/core';
import type { Augmentation, Dataset } from '../split.js';
import { defaultCacheFolder } from './cache.js';
import { type DecodeOptions, decodeImages, type EncodedImage } from './decode-images.js';
import { cachedPart, type DecodedImages, digest, splitImages } from './decoded-cache.js';
import { type FileTree, filesIn, foldersIn, folderTree } from './file-tree.js';
import { spreadClasses } from './spread-classes.js';
import type { WantedImages, WantedSplits } from './wanted-images.js';

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions extends DecodeOptions, WantedImages {
  /** Cache folder for decoded images. Default `$XDG_CACHE_HOME/cert` or `~/.cache/cert`. */
  readonly cacheDir?: string | undefined;
  /** Mean and standard deviation of each channel for models, for pixels from 0 to 1; images are not normalized. Default: none. */
  readonly normalize?: Normalization | undefined;
  /** Augmentation of the training images. Default: none. */
  readonly augment?: Augmentation | undefined;
}

const IMAGE = /\.(png|jpe?g)$/i;

/**
 * A dataset of image files, PNG or JPEG: `train/CLASS/*` and `test/CLASS/*` (or `val/CLASS/*`). Classes are sorted by name; the images of
 * each class are spread evenly over the split, so every prefix is balanced. The package sharp decodes images once; decoded images stay in
 * the cache until the name, size or modification time of a file changes.
 *
 * @returns pixels in [0, 1] of shape [height, width, 3], or [height, width, 1] if all images are grey
 * @throws CertError `bad-file` for folders or images that are missing or cannot be read; `bad-data` for classes that are empty or differ
 * between splits; errors of decoding: `missing-package`, `shape-mismatch`
 */
export async function imageFolder(folder: string, options: ImageFolderOptions = {}): Promise<Dataset> {
  const { cacheDir = defaultCacheFolder(), channels, size, normalize, augment } = options;
  const tree = await folderTree(folder, ['train', 'test', 'val'], 2);
  const list = listImages(tree, options);
  const place = resolve(folder);
  const fileOf = (part: readonly unknown[]) =>
    join(cacheDir, 'image-folder', `${basename(place)}-${digest([place, channels, size, ...part]).slice(0, 12)}`);
  const key = digest([tree.stamp, channels, size]);
  const { train, test, classNames } = await cachedPart(fileOf, key, options, () => decodeList(list, options));
  return { name: basename(place), train, test, range: { min: 0, max: 1 }, classNames, normalize, augment };
}

/** The images of both splits before they are decoded. */
export interface ImageList {
  readonly classNames: readonly string[];
  readonly train: readonly EncodedImage[];
  readonly test: readonly EncodedImage[];
}

/** Decodes the images that are wanted. */
export async function decodeList(list: ImageList, options: DecodeOptions & WantedImages): Promise<DecodedImages> {
  const { classNames } = list;
  const { splits, limit } = options;
  const train = splits === 'test' ? [] : list.train.slice(0, limit);
  const test = list.test.slice(0, limit);
  const images = [...train, ...test];
  const { shape, pixels } = await decodeImages(images, options);
  const labels = Uint8Array.from(images, ({ label }) => label);
  return splitImages({ shape, classNames, train: train.length }, labels, pixels);
}

function listImages(tree: FileTree, { splits }: WantedSplits): ImageList {
  const found = foldersIn(tree, '');
  const test = ['test', 'val'].find((name) => found.includes(name));
  const noTrain = splits === 'test' && !found.includes('train');
  if (test === undefined || !(noTrain || found.includes('train'))) {
    throw new CertError(
      'bad-file',
      `${tree.name} has no folder ${test === undefined ? 'test or val' : 'train'}.`,
      splits === 'test' ? 'Put the images into test/CLASS/.' : 'Put the images into train/CLASS/ and test/CLASS/.',
    );
  }
  const first = noTrain ? test : 'train';
  const classNames = foldersIn(tree, `${first}/`);
  checkClasses(tree, classNames, first, test);
  const train = splits === 'test' ? [] : listSplit(tree, 'train', classNames);
  return { classNames, train, test: listSplit(tree, test, classNames) };
}

function checkClasses(tree: FileTree, classNames: readonly string[], first: string, test: string): void {
  if (classNames.length < 2 || classNames.length > 256) {
    throw new CertError(
      'bad-data',
      `${join(tree.name, first)} has ${classNames.length} class folders.`,
      'Create one folder per class, 2 to 256 in total.',
    );
  }
  const others = foldersIn(tree, `${test}/`);
  const [onlyTrain] = classNames.filter((name) => !others.includes(name));
  const [onlyTest] = others.filter((name) => !classNames.includes(name));
  if (onlyTrain === undefined && onlyTest === undefined) return;
  const [there, missing] = onlyTrain === undefined ? [test, 'train'] : ['train', test];
  throw new CertError(
    'bad-data',
    `${tree.name}: the class "${onlyTrain ?? onlyTest}" is in ${there} but not in ${missing}.`,
    'Training and test images must have the same classes.',
  );
}

/** The images of a split, the classes spread evenly over it. */
export function listSplit(tree: FileTree, split: string, classNames: readonly string[], inside = ''): EncodedImage[] {
  const files = classNames.map((name) => {
    const folder = `${split}/${name}/${inside}`;
    const names = filesIn(tree, folder).filter((file) => IMAGE.test(file));
    if (names.length > 0) return names.map((file) => `${folder}${file}`);
    throw new CertError(
      'bad-data',
      `${join(tree.name, folder)} contains no images.`,
      'Put PNG or JPEG files directly into the folder, or remove the class from both splits.',
    );
  });
  return spreadClasses(files.map((list) => list.length)).map(({ label, i }) => {
    const path = files[label]![i]!;
    return { name: join(tree.name, path), label, read: () => tree.read(path) };
  });
}

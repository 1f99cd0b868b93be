import { CertError, type Normalization, type Shape, sizeOf } from '@cert/core';

/** The images and labels of a training or test set. Plain data. */
export interface Split {
  /** The shape of one image, [height, width, channels], or of one row, [features]. */
  readonly shape: Shape;
  /** Number of classes; labels are below it. 1 for a regression. */
  readonly classes: number;
  /** Number of images. */
  readonly count: number;
  /** Stored values of all images, row-major [count, ...shape]. */
  readonly images: Uint8Array | Float32Array;
  /** Factor from stored values to pixel values: 1/255 for bytes. */
  readonly scale: number;
  /** One class index per image. */
  readonly labels: Uint8Array;
  /** For a regression: the numbers to predict, one per example; all labels are then 0. */
  readonly targets?: Float32Array | undefined;
}

/** A training set and a test set. */
export interface Dataset {
  /** Name in messages. */
  readonly name: string;
  /** Images to train on. */
  readonly train: Split;
  /** Images to report errors on, of the same shape and classes. */
  readonly test: Split;
  /** Range of all values, in the units of the model input; null for data without a range. Perturbed inputs are clipped to this range. */
  readonly range: PixelRange | null;
  /** Names of the classes, in label order. */
  readonly classNames?: readonly string[] | undefined;
  /** Names of the features in row-major order, for data that are rows. */
  readonly featureNames?: readonly string[] | undefined;
  /** One-hot groups of features by the name of their column: the indices of the features. */
  readonly categories?: { readonly [column: string]: readonly number[] } | undefined;
  /** Reach of each feature at radius 1, for data whose features have different units. Perturbation sets use it as their default scale. */
  readonly featureScale?: readonly number[] | undefined;
  /** For a regression: name and moments of the numbers to predict, over the training rows. */
  readonly target?: Target | undefined;
  /** Input normalization for models. Images are not normalized, so boxes around images stay in the range. */
  readonly normalize?: Normalization | undefined;
  /**
   * For data split by time: one number for each training image, ascending in time, of the images in their order. Validation images are then
   * the latest ones.
   */
  readonly trainTimes?: readonly number[] | undefined;
  /** Default augmentation of the training images; pass it to batches to apply it. */
  readonly augment?: Augmentation | undefined;
}

/** The number that a regression predicts. */
export interface Target {
  /** Name in messages, such as that of its column. */
  readonly name: string;
  /** The mean, in the units of the number. */
  readonly mean: number;
  /** The standard deviation, in the same units, > 0. */
  readonly std: number;
}

/** Random augmentation of a training image [height, width, channels], redrawn in each epoch. */
export interface Augmentation {
  /** Horizontal flip with probability 1/2. */
  readonly flip: boolean;
  /** Pads each side with N pixels that repeat the edge, then crops the original size at a random position. 0: no crop. */
  readonly crop: number;
}

/** A closed range of numbers. */
export interface PixelRange {
  /** The least value, included. */
  readonly min: number;
  /** The greatest value, included. */
  readonly max: number;
}

/**
 * Checks a split: number of images, labels and targets, labels below the number of classes, targets finite, pixels finite and in the range.
 *
 * @param name name in messages
 * @param range of all values; default [0, 1], null for no range: values must then only be finite
 * @returns the split itself
 * @throws CertError `shape-mismatch` for inconsistent counts, `bad-data` naming the first label or pixel out of range, `bad-argument` for a
 * shape that is not a list of positive whole numbers
 */
export function checkSplit(split: Split, name: string, range: PixelRange | null = { min: 0, max: 1 }): Split {
  const { shape, classes, count, images, scale, labels, targets } = split;
  const pixels = sizeOf(shape);
  const sizes = `Give ${count * pixels} values: ${count} images of shape [${shape}].`;
  if (shape.length === 0 || !shape.every((n) => Number.isInteger(n) && n > 0)) {
    throw new CertError(
      'bad-argument',
      `${name}: the shape of one image is [${shape}].`,
      'Give positive whole numbers.',
    );
  }
  if (images.length !== count * pixels) {
    throw new CertError('shape-mismatch', `${name}: ${images.length} pixel values were given.`, sizes);
  }
  if (labels.length !== count) {
    throw new CertError(
      'shape-mismatch',
      `${name}: ${count} images but ${labels.length} labels were given.`,
      'Give one label per image, and check that images and labels belong to the same set.',
    );
  }
  for (let i = 0; i < count; i++) {
    if (labels[i]! < classes) continue;
    throw badLabel(name, i, labels[i]!, classes);
  }
  if (targets !== undefined) checkTargets(targets, split, name);
  // float32 rounding of the limits themselves is not out of range.
  const [min, max] =
    range === null ? [-Number.MAX_VALUE, Number.MAX_VALUE] : [Math.fround(range.min), Math.fround(range.max)];
  for (let i = 0; i < images.length; i++) {
    const value = Math.fround(images[i]! * scale);
    if (value >= min && value <= max) continue;
    throw outOfRange(`${name}: image ${Math.floor(i / pixels)} has the value ${value}`, range);
  }
  return split;
}

function checkTargets(targets: Float32Array, { count, classes }: Split, name: string): void {
  if (targets.length !== count || classes !== 1) {
    throw new CertError(
      'shape-mismatch',
      `${name}: ${targets.length} targets were given for ${count} examples, with ${classes} classes.`,
      'Give one target per example, and classes: 1.',
    );
  }
  const strange = targets.findIndex((target) => !Number.isFinite(target));
  if (strange < 0) return;
  throw new CertError('bad-data', `${name}: target ${strange} is ${targets[strange]}.`, 'Give finite numbers.');
}

const outOfRange = (found: string, range: PixelRange | null) =>
  range === null
    ? new CertError('bad-data', `${found}.`, 'Give finite numbers.')
    : new CertError(
        'bad-data',
        `${found}, outside the range [${range.min}, ${range.max}].`,
        'Scale the images into the range (bytes: scale 1/255), or give the range of the images (null: no range).',
      );

/** The error for a label that is no class. */
export const badLabel = (name: string, index: number, label: number, classes: number) =>
  new CertError(
    'bad-data',
    `${name}: label ${index} is ${label}, but there are ${classes} classes.`,
    `Give labels from 0 to ${classes - 1}, or correct the number of classes.`,
  );

/**
 * Returns the first images of a split, sharing its memory; the whole split if it has no more than `count`.
 *
 * @throws CertError `bad-argument` when `count` is not a positive whole number
 */
export function subset(split: Split, count: number): Split {
  if (!Number.isInteger(count) || count < 1) {
    throw new CertError('bad-argument', `The number of images is ${count}.`, 'Give a whole number of at least 1.');
  }
  if (count >= split.count) return split;
  return {
    ...split,
    count,
    images: split.images.subarray(0, count * sizeOf(split.shape)),
    labels: split.labels.subarray(0, count),
    ...(split.targets && { targets: split.targets.subarray(0, count) }),
  };
}

/** A split of the same shape and classes that has no images. */
export const withoutImages = (split: Split): Split => ({
  ...split,
  count: 0,
  images: split.images.subarray(0, 0),
  labels: split.labels.subarray(0, 0),
  ...(split.targets && { targets: split.targets.subarray(0, 0) }),
});

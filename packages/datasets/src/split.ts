import { CertError, type Normalization, type Shape, sizeOf } from '@cert/core';

/** The images and labels of a training or test set. Plain data. */
export interface Split {
  /** The shape of one image, [height, width, channels], or of one row, [features]. */
  readonly shape: Shape;
  /** Number of classes; labels are below it. */
  readonly classes: number;
  /** Number of images. */
  readonly count: number;
  /** The stored values of all images one after the other, row-major [count, ...shape]. */
  readonly images: Uint8Array | Float32Array;
  /** A pixel's value is its stored value times this: 1/255 for bytes. */
  readonly scale: number;
  /** One class index per image. */
  readonly labels: Uint8Array;
}

/** A training set and a test set. */
export interface Dataset {
  /** What to call it in messages. */
  readonly name: string;
  /** Images to train on. */
  readonly train: Split;
  /** Images to report errors on, of the same shape and classes. */
  readonly test: Split;
  /** The range that every value lies in, in the units of the model's input; null for data without one. Perturbed inputs are clipped to it. */
  readonly range: PixelRange | null;
  /** What each class is called, in the order of the labels. */
  readonly classNames?: readonly string[] | undefined;
  /** How a model normalizes its input: images stay as they are, so that boxes around them stay in the range. */
  readonly normalize?: Normalization | undefined;
  /** The usual augmentation of the training images; batches apply it when it is given to them. */
  readonly augment?: Augmentation | undefined;
}

/** Random changes of a training image [height, width, channels], drawn anew in each epoch. */
export interface Augmentation {
  /** Mirrors left and right with probability 1/2. */
  readonly flip: boolean;
  /** Pads each side with so many pixels that repeat the edge, and cuts the old size out at a random place. 0: no crop. */
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
 * Checks a split: as many images and labels as it says, labels below the number of classes, pixels finite and in the range.
 *
 * @param name what to call it in messages
 * @param range that every value must lie in; default [0, 1], null for none: values are then only finite
 * @returns the split itself
 * @throws CertError `shape-mismatch` for counts that do not agree, `bad-data` naming the first label or pixel out of range,
 * `bad-argument` for a shape that is not made of positive whole numbers
 */
export function checkSplit(split: Split, name: string, range: PixelRange | null = { min: 0, max: 1 }): Split {
  const { shape, classes, count, images, scale, labels } = split;
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
 * The first images of a split, sharing its memory; the whole split when it has no more than that.
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
  };
}

/** A split of the same shape and classes that has no images. */
export const withoutImages = (split: Split): Split => ({
  ...split,
  count: 0,
  images: split.images.subarray(0, 0),
  labels: split.labels.subarray(0, 0),
});

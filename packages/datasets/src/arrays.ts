import { CertError, type Shape } from '@cert/core';
import { badLabel, checkSplit, type Dataset, type PixelRange, type Split } from './split.js';
import { targetMoments } from './targets.js';

/** Arrays for {@link arraySplit}. */
export interface ArraySplit {
  /** The shape of one image, [height, width, channels], or of one row, [features]. */
  readonly shape: Shape;
  /** Number of classes, 2 to 256. */
  readonly classes: number;
  /** All pixel values, row-major [count, ...shape]. */
  readonly images: Uint8Array | Float32Array;
  /** One class index per image, from 0. */
  readonly labels: ArrayLike<number>;
  /** Factor from stored values to pixel values. Default 1/255 for bytes, 1 for floats. */
  readonly scale?: number | undefined;
}

/** Arrays of a regression for {@link arraySplit}. */
export interface TargetSplit extends Omit<ArraySplit, 'classes' | 'labels'> {
  /** The numbers to predict, one per example. */
  readonly targets: ArrayLike<number>;
}

/**
 * Returns a validated split of arrays; pixels are not copied.
 *
 * @param name name in messages
 * @param range that every value must lie in; default [0, 1], null for none
 * @throws CertError as {@link checkSplit}, `bad-data` for a label that is not a whole number, `bad-argument` for a number of classes
 * outside 2 to 256
 */
export function arraySplit(arrays: ArraySplit | TargetSplit, name = 'the split', range?: PixelRange | null): Split {
  const { shape, images, scale = images instanceof Uint8Array ? 1 / 255 : 1 } = arrays;
  if ('targets' in arrays) {
    const targets = Float32Array.from(arrays.targets);
    const count = targets.length;
    return checkSplit({ shape, classes: 1, count, images, scale, labels: new Uint8Array(count), targets }, name, range);
  }
  const { classes, labels } = arrays;
  if (!Number.isInteger(classes) || classes < 2 || classes > 256) {
    throw new CertError('bad-argument', `${name}: classes is ${classes}.`, 'Give a whole number from 2 to 256.');
  }
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) throw badLabel(name, i, label, classes);
  }
  const split = { shape, classes, count: labels.length, images, scale, labels: Uint8Array.from(labels) };
  return checkSplit(split, name, range);
}

/** Options of {@link arrayDataset}. */
export interface ArrayDataset {
  /** Name in messages. */
  readonly name: string;
  /** The training images. */
  readonly train: ArraySplit | TargetSplit;
  /** The test images, of the same shape and number of classes. */
  readonly test: ArraySplit | TargetSplit;
  /** The range that every value must lie in; perturbed inputs are clipped to it. Default [0, 1]; null for data without a range. */
  readonly range?: PixelRange | null | undefined;
}

/**
 * Returns a validated dataset of arrays.
 *
 * @throws CertError as {@link arraySplit}; `shape-mismatch` when training and test set differ in image shape or classes; `bad-data` for
 * targets that are all the same
 */
export function arrayDataset({ name, train, test, range = { min: 0, max: 1 } }: ArrayDataset): Dataset {
  const dataset = {
    name,
    train: arraySplit(train, `${name}, training set`, range),
    test: arraySplit(test, `${name}, test set`, range),
    range,
  };
  const [known, tested] = [dataset.train, dataset.test];
  if (String(known.shape) !== String(tested.shape) || known.classes !== tested.classes) {
    throw new CertError(
      'shape-mismatch',
      `${name}: training images have the shape [${known.shape}] and ${known.classes} classes, test images the shape [${tested.shape}] and ${tested.classes} classes.`,
      'Both sets must have the same image shape and number of classes.',
    );
  }
  return { ...dataset, ...(known.targets && { target: targetMoments(known.targets, 'target') }) };
}

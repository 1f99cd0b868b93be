import { stat } from 'node:fs/promises';
import { CertError, type Model, sizeOf } from '@cert/core';
import type { Dataset, PixelRange } from '@cert/datasets';
import { readImage } from '@cert/datasets/node';
import { checkDataFits, exampleWords } from '@cert/trainer/pipeline';
import { fits } from '../verify/fits.js';

/** One image to classify. */
export interface PredictionInput {
  /** Row-major, in the units of the model's input. */
  readonly pixels: Float32Array;
  /** Where it is from, for people. */
  readonly about: string;
  /** Its label, where the dataset has one. */
  readonly label: number | null;
  /** The number to predict, where the dataset is a regression. */
  readonly target: number | null;
}

/**
 * An image of the test split.
 *
 * @throws CertError `bad-argument` for an index outside the split, `shape-mismatch` for a dataset of other images than the model takes
 */
export function imageAt(index: number, { test }: Pick<Dataset, 'test'>, name: string, model: Model): PredictionInput {
  // A network that was imported may take the values of an image in a row.
  if (!fits(test.shape, model.inputShape) || test.classes !== model.classes) checkDataFits(model, test, name);
  if (!Number.isInteger(index) || index >= test.count) {
    throw new CertError('bad-argument', `--index is ${index}.`, `Give a whole number from 0 to ${test.count - 1}.`);
  }
  const size = sizeOf(test.shape);
  const pixels = Float32Array.from(test.images.subarray(index * size, (index + 1) * size), (x) => x * test.scale);
  return {
    pixels,
    about: `${capitalized(exampleWords(name, test.shape).one)} ${index} of ${name}`,
    label: test.labels[index]!,
    target: test.targets?.[index] ?? null,
  };
}

const capitalized = (word: string) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;

/** Says early that an image file is missing: before a dataset is read or an optional package asked for. @throws CertError `bad-file` */
export async function checkImageFile(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile()) return;
  throw new CertError(
    'bad-file',
    info === undefined ? `There is no file ${path}.` : `${path} is not a file.`,
    'Check the path, or give an example of the test split: --index N.',
  );
}

/**
 * An image file, of the size that the model takes.
 *
 * @param range of the dataset; bytes stand for 0 to 1
 * @throws CertError `shape-mismatch` for an image of another size, and for a model that does not take images; `bad-argument` for a
 * dataset whose pixels are not 0 to 1; those of `readImage`
 */
export async function imageFile(
  path: string,
  { inputShape }: Model,
  range: PixelRange | null,
): Promise<PredictionInput> {
  const [height, width, channels] = inputShape;
  if (inputShape.length !== 3 || (channels !== 1 && channels !== 3)) {
    throw new CertError(
      'shape-mismatch',
      `${path} is an image file, but the network takes inputs of shape [${inputShape}].`,
      'Give an example of the test split: --index N. A network of rows takes a CSV file.',
    );
  }
  if (range?.min !== 0 || range.max !== 1) {
    throw new CertError(
      'bad-argument',
      `The pixels of an image file range from 0 to 1, but the pixels of the dataset ${range === null ? 'have no range' : `range from ${range.min} to ${range.max}`}.`,
      'Give an image of the test split: --index N.',
    );
  }
  const { shape, pixels } = await readImage(path, channels);
  if (shape[0] !== height || shape[1] !== width) {
    throw new CertError(
      'shape-mismatch',
      `${path} has ${shape[1]} x ${shape[0]} pixels, but the network takes ${width} x ${height}.`,
      `Resize or crop the image to ${width} x ${height} in the same way as the training images. cert does not resize it, because the certificate would be about a different image.`,
    );
  }
  return { pixels: Float32Array.from(pixels, (byte) => byte / 255), about: path, label: null, target: null };
}

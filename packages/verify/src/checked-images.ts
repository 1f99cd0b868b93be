/** Checks of images and labels on the host, before anything is computed with them. */
import { CertError, checkInRange, type DataRange, type Model, type Shape, sizeOf } from '@cert/core';

/**
 * @param image index of its image, for the message
 * @throws CertError `bad-data` for a label that is not one of the classes
 */
export function checkLabel(label: number, classes: number, image?: number): void {
  if (Number.isInteger(label) && label >= 0 && label < classes) return;
  throw new CertError(
    'bad-data',
    `${image === undefined ? 'The label' : `The label of input ${image}`} is ${label}, but there are ${classes} classes.`,
    `Give a whole number from 0 to ${classes - 1}.`,
  );
}

/**
 * @param values row-major [count, ...shape]
 * @param first index of the first input, for the message
 * @throws CertError `shape-mismatch` for another number of values
 */
export function checkCount(values: ArrayLike<number>, count: number, shape: Shape, first = 0): void {
  const size = sizeOf(shape);
  if (values.length === count * size) return;
  const which = count === 1 ? `Input ${first} has` : `${count} inputs, from input ${first} on, have`;
  throw new CertError(
    'shape-mismatch',
    `${which} ${values.length} values, but inputs have the shape [${shape}].`,
    `Give ${size} values for each input.`,
  );
}

/**
 * Checks one image: number of values, range and label.
 *
 * @throws CertError as {@link checkCount}, {@link checkLabel} and `checkInRange` of `@cert/core`
 */
export function checkImage(
  { index = 0, pixels, label }: { readonly index?: number; readonly pixels: Float32Array; readonly label: number },
  { inputShape, classes }: Model,
  range: DataRange | null,
): void {
  checkCount(pixels, 1, inputShape, index);
  checkInRange(pixels, range, inputShape, index);
  checkLabel(label, classes, index);
}

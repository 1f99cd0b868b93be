import { CertError } from './errors.js';
import { type Shape, sizeOf } from './model.js';
import { type Tensor, tf } from './tf.js';

/** One number for all features, or a list: one per channel (last axis of an input), or one per feature (row-major). */
export type PerFeature = number | readonly number[];

/** Range of valid data, in the units of the data. */
export interface DataRange {
  /** The least value; -Infinity for a feature without one. */
  readonly min: PerFeature;
  /** The greatest value; Infinity for a feature without one. */
  readonly max: PerFeature;
}

/**
 * Returns the number of each feature of an input.
 *
 * @param shape of one input, without the batch axis
 * @throws CertError `bad-argument` for a list of another length
 */
export function eachFeature(values: PerFeature, shape: Shape): readonly number[] {
  const size = sizeOf(shape);
  const list = typeof values === 'number' ? [values] : values;
  if (list.length === 1 || list.length === size || list.length === shape.at(-1)) {
    return Array.from({ length: size }, (_, i) => list[i % list.length]!);
  }
  throw new CertError(
    'bad-argument',
    `A list has ${list.length} numbers, but inputs have the shape [${shape}].`,
    `Give one number, one per channel (${shape.at(-1)}), or one per feature (${size}).`,
  );
}

/**
 * Returns the numbers as a tensor that broadcasts against a batch of inputs, or as a number if there is one for all.
 *
 * @param x [batch, ...shape]
 * @throws CertError `bad-argument` for a list of another length
 */
export function perFeatureTensor(values: PerFeature, x: Tensor): Tensor | number {
  if (typeof values === 'number') return values;
  if (values.length === 1) return values[0]!;
  const shape = x.shape.slice(1);
  if (values.length === x.shape.at(-1)) return tf.tensor1d([...values], 'float32');
  return tf.tensor([...eachFeature(values, shape)], shape, 'float32');
}

/** Whether all numbers meet a condition. */
export const everyFeature = (values: PerFeature, condition: (value: number) => boolean): boolean =>
  typeof values === 'number' ? condition(values) : values.length > 0 && values.every(condition);

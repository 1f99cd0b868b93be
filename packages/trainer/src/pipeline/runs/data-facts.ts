import type { Dataset, PixelRange } from '@cert/datasets';

/** Facts about the dataset of a run that its checkpoints keep: with them, one image is classified without the dataset. Plain data. */
export interface DataFacts {
  /** The range of all values, in the units of the model input; null for data without a range. */
  readonly range: PixelRange | null;
  /** Names of the classes, in label order; missing for a dataset without names. */
  readonly classNames?: readonly string[];
}

/** Returns the facts about a dataset that checkpoints keep; null for an infinite range, which JSON cannot hold. */
export const factsOf = ({ range, classNames }: Pick<Dataset, 'range' | 'classNames'>): DataFacts | null =>
  isRange(range) ? { range, ...(classNames && { classNames }) } : null;

/**
 * Returns the facts about the dataset in the metadata of a checkpoint.
 *
 * @param metadata of the checkpoint, whoever wrote it
 * @param classes of its model
 * @returns undefined for checkpoints of older versions and for facts that cannot be true: a range that is empty or not finite, or another
 * number of names than classes
 */
export function readDataFacts(metadata: unknown, classes: number): DataFacts | undefined {
  const data: unknown = isRecord(metadata) ? metadata.data : undefined;
  if (!isRecord(data) || !isRange(data.range)) return undefined;
  const { range, classNames } = data;
  if (classNames === undefined) return { range };
  return areNames(classNames) && classNames.length === classes ? { range, classNames } : undefined;
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const areNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string');

const isRange = (value: unknown): value is PixelRange | null => {
  if (value === null) return true;
  const { min, max } = isRecord(value) ? value : {};
  return Number.isFinite(min) && Number.isFinite(max) && Number(min) < Number(max);
};

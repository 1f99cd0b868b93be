import { type Model, sizeOf } from '@cert/core';
import type { Dataset, PixelRange, Target } from '@cert/datasets';

/** Facts about the dataset of a run that its checkpoints keep: with them, an image or a row is classified without the dataset. Plain data. */
export interface DataFacts {
  /** The range of all values, in the units of the model input; null for data without a range. */
  readonly range: PixelRange | null;
  /** Names of the classes, in label order; missing for a dataset without names. */
  readonly classNames?: readonly string[];
  /** What the inputs of a network on rows mean; missing for images. */
  readonly rows?: RowFacts;
}

/** What the inputs of a network on rows mean, as in the dataset. */
export interface RowFacts {
  /** Names of the features, in the order of the inputs. */
  readonly featureNames: readonly string[];
  /** One-hot groups of features by the name of their column. */
  readonly categories: { readonly [column: string]: readonly number[] };
  /** Reach of each feature at radius 1. */
  readonly featureScale: readonly number[];
  /** Name and moments of the number that a regression predicts; null for classes. */
  readonly target: Target | null;
}

/** Returns the facts about a dataset that checkpoints keep; null for an infinite range, which JSON cannot hold. */
export function factsOf(dataset: Pick<Dataset, keyof RowFacts | 'range' | 'classNames'>): DataFacts | null {
  const { range, classNames, featureNames, categories = {}, featureScale, target = null } = dataset;
  if (!isRange(range)) return null;
  const rows = featureNames && featureScale && { featureNames, categories, featureScale, target };
  return { range, ...(classNames && { classNames }), ...(rows && { rows }) };
}

/**
 * Returns the facts about the dataset in the metadata of a checkpoint.
 *
 * @param metadata of the checkpoint, whoever wrote it
 * @param model its inputs and classes
 * @returns undefined for checkpoints of older versions and for facts that cannot be true: a range that is empty or not finite, another
 * number of names than classes, or rows of other features than the inputs
 */
export function readDataFacts(metadata: unknown, model: Pick<Model, 'inputShape' | 'classes'>): DataFacts | undefined {
  const data: unknown = isRecord(metadata) ? metadata.data : undefined;
  if (!isRecord(data) || !isRange(data.range)) return undefined;
  const { range, classNames, rows } = data;
  if (classNames !== undefined && !(areNames(classNames) && classNames.length === model.classes)) return undefined;
  if (rows !== undefined && !(isRowFacts(rows) && rows.featureNames.length === sizeOf(model.inputShape))) {
    return undefined;
  }
  return { range, ...(classNames && { classNames }), ...(rows && { rows }) };
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const areNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string');

function isRowFacts(value: unknown): value is RowFacts {
  if (!isRecord(value)) return false;
  const { featureNames, categories, featureScale, target } = value;
  if (!areNames(featureNames) || !Array.isArray(featureScale) || !isRecord(categories)) return false;
  const isFeature = (at: unknown) => Number.isInteger(at) && Number(at) >= 0 && Number(at) < featureNames.length;
  const groups = Object.entries(categories);
  return (
    featureScale.length === featureNames.length &&
    featureScale.every((scale) => Number.isFinite(scale) && scale >= 0) &&
    groups.every(
      ([column, group]) =>
        Array.isArray(group) && group.every((at) => isFeature(at) && featureNames[at]!.startsWith(`${column}=`)),
    ) &&
    (target === null || isTarget(target))
  );
}

const isTarget = (value: unknown): value is Target =>
  isRecord(value) && typeof value.name === 'string' && Number.isFinite(value.mean) && Number(value.std) > 0;

const isRange = (value: unknown): value is PixelRange | null => {
  if (value === null) return true;
  const { min, max } = isRecord(value) ? value : {};
  return Number.isFinite(min) && Number.isFinite(max) && Number(min) < Number(max);
};

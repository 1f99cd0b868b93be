import { CertError, eachFeature, type LinfPerturbation, l2, linf, type Perturbation, type Shape } from '@cert/core';
import type { Dataset } from '@cert/datasets';
import { didYouMean } from '../names.js';
import type { FeatureSpec, PerturbationSpec } from './perturbation-spec.js';
import { radiusText } from './radius.js';

/** What a perturbation set takes from a dataset. */
export interface PerturbedData
  extends Pick<Dataset, 'name' | 'range' | 'featureNames' | 'featureScale' | 'categories'> {
  /** The shape of one input. */
  readonly shape: Shape;
}

/**
 * Returns the perturbation set that a configuration stands for on its dataset, at the target radius.
 *
 * @throws CertError `bad-argument` for a radius that exceeds the range, and for features and categories that the dataset does not have
 */
export function perturbationOf(
  { epsilon, perturbation: spec }: { readonly epsilon: number; readonly perturbation?: PerturbationSpec | null },
  data: PerturbedData,
): Perturbation {
  const range = spec?.range === undefined ? data.range : spec.range;
  if (spec == null) checkRadius(epsilon, data);
  if (spec?.kind === 'l2') return l2({ epsilon, range });
  const { scale = data.featureScale ?? 1, up = scale, down = scale, features = {}, categories = [] } = spec ?? {};
  const groups = categories.map((group) => groupOf(group, data));
  const base = linf({ epsilon, up, down, range, categories: groups });
  return Object.keys(features).length === 0 ? base : withFeatures(base, features, data);
}

function checkRadius(epsilon: number, { name, range }: PerturbedData): void {
  if (range === null || typeof range.min !== 'number' || typeof range.max !== 'number') return;
  if (epsilon <= range.max - range.min) return;
  throw new CertError(
    'bad-argument',
    `--epsilon is ${radiusText(epsilon)}, but the values of ${name} range from ${range.min} to ${range.max}.`,
    'Give the radius in the units of the data, such as 0.1 or 8/255.',
  );
}

/** The set with the values of single features. */
function withFeatures(
  base: LinfPerturbation,
  features: { readonly [feature: string]: FeatureSpec },
  data: PerturbedData,
): LinfPerturbation {
  const { shape } = data;
  const limits = base.range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  const [up, down] = [[...eachFeature(base.up, shape)], [...eachFeature(base.down, shape)]];
  const [min, max] = [[...eachFeature(limits.min, shape)], [...eachFeature(limits.max, shape)]];
  const seen = new Map<number, string>();
  for (const [feature, spec] of Object.entries(features)) {
    const at = featureIndex(feature, data, up.length);
    if (seen.has(at)) {
      throw new CertError(
        'bad-argument',
        `The perturbation set names the same feature "${seen.get(at)}" and "${feature}".`,
        'Give each feature once.',
      );
    }
    seen.set(at, feature);
    up[at] = spec.up ?? spec.scale ?? up[at]!;
    down[at] = spec.down ?? spec.scale ?? down[at]!;
    if (spec.min !== undefined) min[at] = spec.min ?? Number.NEGATIVE_INFINITY;
    if (spec.max !== undefined) max[at] = spec.max ?? Number.POSITIVE_INFINITY;
  }
  const limited = [...min, ...max].some(Number.isFinite);
  return linf({ ...base, up, down, range: limited ? { min, max } : null });
}

/** The features of a categorical group. */
function groupOf(group: string | readonly (string | number)[], data: PerturbedData): readonly number[] {
  const size = data.shape.reduce((product, n) => product * n, 1);
  if (typeof group !== 'string')
    return group.map((feature) =>
      typeof feature === 'number' ? inRange(feature, data, size) : featureIndex(feature, data, size),
    );
  const known = data.categories ?? {};
  if (Object.hasOwn(known, group)) return known[group]!;
  const names = Object.keys(known);
  throw new CertError(
    'bad-argument',
    `The perturbation set names the category "${group}", which ${data.name} does not have.`,
    names.length === 0
      ? `${data.name} has no categorical columns; give a list of features instead.`
      : `Categorical columns: ${names.join(', ')}. ${didYouMean(group, names)}`.trimEnd(),
  );
}

/** @throws CertError `bad-argument` for an index that no feature has */
function inRange(index: number, { name }: PerturbedData, size: number): number {
  if (index < size) return index;
  throw new CertError(
    'bad-argument',
    `The perturbation set names the feature ${index}, which ${name} does not have.`,
    `Give an index from 0 to ${size - 1}.`,
  );
}

/** The index of a feature by its name or number. */
function featureIndex(feature: string, { name, featureNames = [] }: PerturbedData, size: number): number {
  const named = featureNames.indexOf(feature);
  const index = /^\d+$/.test(feature) ? Number(feature) : size;
  if (named >= 0 && index < size && named !== index) {
    throw new CertError(
      'bad-argument',
      `The perturbation set names the feature "${feature}", which is the name of feature ${named} and the index of another one.`,
      'Rename the column.',
    );
  }
  if (named >= 0) return named;
  if (index < size) return index;
  throw new CertError(
    'bad-argument',
    `The perturbation set names the feature "${feature}", which ${name} does not have.`,
    featureNames.length === 0
      ? `Give an index from 0 to ${size - 1}.`
      : `Features: ${featureNames.join(', ')}. ${didYouMean(feature, featureNames)}`.trimEnd(),
  );
}

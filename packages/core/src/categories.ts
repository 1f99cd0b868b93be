import { CertError } from './errors.js';
import { type Shape, sizeOf } from './model.js';
import { eachFeature } from './per-feature.js';
import type { LinfPerturbation } from './perturbation-set.js';

/** More than the rounding of epsilon and of its inverse to float32, so that a hull contains all categories. */
const COVERING = 1 + 2 ** -20;

/** Most combinations of categories that are verified one by one. */
const MOST_VARIANTS = 4096;

/**
 * Returns the hull of a set for training with a schedule: at the radius of the set, every feature of a categorical group lies anywhere in
 * [0, 1], and at smaller radii in a part of it, in proportion. Only the hull at the radius of the set contains all categories; bounds
 * outside of training use `perturbationBox`, which has all categories at every radius. A set without categories is returned unchanged.
 *
 * @param shape of one input
 */
export function hullOf(perturbation: LinfPerturbation, shape: Shape): LinfPerturbation {
  const { categories, epsilon, range } = perturbation;
  if (categories.length === 0) return perturbation;
  const size = sizeOf(shape);
  const chosen = featuresOf(perturbation, size);
  const reach = COVERING / epsilon;
  const replaced = (values: LinfPerturbation['up'], replacement: number) =>
    eachFeature(values, shape).map((value, i) => (chosen.has(i) ? replacement : value));
  const { min, max } = range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  return {
    ...perturbation,
    ...{ up: replaced(perturbation.up, reach), down: replaced(perturbation.down, reach), categories: [] },
    range: { min: replaced(min, 0), max: replaced(max, 1) },
  };
}

/** Returns the set with all categories fixed. @param shape of one input */
export function fixedCategories(perturbation: LinfPerturbation, shape: Shape): LinfPerturbation {
  const mask = categoryMask(perturbation, shape);
  if (mask === null) return perturbation;
  const fixed = (values: LinfPerturbation['up']) =>
    eachFeature(values, shape).map((value, i) => (mask[i] === 1 ? 0 : value));
  return { ...perturbation, up: fixed(perturbation.up), down: fixed(perturbation.down), categories: [] };
}

/** 1 for each feature of a categorical group, 0 for others; null for a set without categories. */
export function categoryMask(perturbation: LinfPerturbation, shape: Shape): readonly number[] | null {
  if (perturbation.categories.length === 0) return null;
  const chosen = featuresOf(perturbation, sizeOf(shape));
  return Array.from({ length: sizeOf(shape) }, (_, i) => (chosen.has(i) ? 1 : 0));
}

/** An input for each combination of categories, and what may change around each of them. */
export interface CategoryVariants {
  /** Inputs, [...inputShape] each; the given input is the first. */
  readonly inputs: readonly Float32Array[];
  /** The set around each input: its categories are fixed. */
  readonly perturbation: LinfPerturbation;
}

/**
 * Splits a set with categories into boxes: one input for each combination of categories. The union of their sets is the given set.
 *
 * @param input row-major [...inputShape]
 * @param shape of one input
 * @throws CertError `bad-data` for a group that is not one-hot in `input`, naming the feature; `bad-argument` for more than 4096
 * combinations
 */
export function categoryVariants(perturbation: LinfPerturbation, input: Float32Array, shape: Shape): CategoryVariants {
  const { categories } = perturbation;
  featuresOf(perturbation, input.length);
  const combinations = categories.reduce((product, group) => product * group.length, 1);
  if (combinations > MOST_VARIANTS) {
    throw new CertError(
      'bad-argument',
      `There are ${combinations} combinations of categories, more than ${MOST_VARIANTS}.`,
      'Let fewer groups change, or bound one box around all choices: perturbationBox(perturbation, x).',
    );
  }
  let inputs: readonly Float32Array[] = [input];
  for (const group of categories) {
    const own = activeOf(group, input);
    const others = group.filter((feature) => feature !== own);
    inputs = inputs.flatMap((base) => [
      base,
      ...others.map((feature) => base.map((value, i) => (i === own ? 0 : i === feature ? 1 : value))),
    ]);
  }
  return { inputs, perturbation: fixedCategories(perturbation, shape) };
}

/** The feature of a group that is 1. */
function activeOf(group: readonly number[], input: Float32Array): number {
  const active = group.filter((feature) => input[feature] === 1);
  const wrong = group.find((feature) => input[feature] !== 0 && input[feature] !== 1);
  if (active.length === 1 && wrong === undefined) return active[0]!;
  const found = group.map((feature) => `feature ${feature} is ${input[feature]}`).join(', ');
  throw new CertError(
    'bad-data',
    `A categorical group is not one-hot: ${found}.`,
    'Exactly one feature of a group must be 1 and all others 0; check the indices of the group.',
  );
}

/** All features of the groups. */
function featuresOf({ categories }: LinfPerturbation, size: number): ReadonlySet<number> {
  const all = categories.flat();
  const outside = all.find((feature) => feature >= size);
  if (outside === undefined) return new Set(all);
  throw new CertError(
    'bad-argument',
    `A categorical group has the feature ${outside}, but inputs have ${size} features.`,
    'Features are numbered from 0 in row-major order.',
  );
}

/** @throws CertError `bad-argument` for groups that overlap or are not lists of at least two indices */
export function checkGroups(groups: readonly (readonly number[])[]): void {
  const all = groups.flat();
  const valid = all.every((feature) => Number.isInteger(feature) && feature >= 0);
  const distinct = new Set(all).size === all.length;
  if (valid && distinct && groups.every((group) => group.length >= 2)) return;
  throw new CertError(
    'bad-argument',
    `The categorical groups are ${JSON.stringify(groups)}.`,
    'Give lists of at least two feature indices each, with no index in two groups.',
  );
}

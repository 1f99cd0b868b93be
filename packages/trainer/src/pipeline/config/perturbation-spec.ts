/** Perturbation sets as configurations and JSON files write them: features by name, the radius apart. */
import { CertError, describeValue, type PerFeature } from '@cert/core';
import { didYouMean } from '../names.js';

/** What may change at one feature. */
export interface FeatureSpec {
  /** Reach in both directions in multiples of epsilon; 0 makes the feature immutable. */
  readonly scale?: number;
  /** Reach upwards in multiples of epsilon. */
  readonly up?: number;
  /** Reach downwards in multiples of epsilon. */
  readonly down?: number;
  /** Least value; null for none. */
  readonly min?: number | null;
  /** Greatest value; null for none. */
  readonly max?: number | null;
}

/** A perturbation set without its radius. Plain data, as in `config.json`. */
export interface PerturbationSpec {
  /** Default `linf`. */
  readonly kind?: 'linf' | 'l2';
  /** Reach of each feature in multiples of epsilon: one number, one per channel, or one per feature. Default 1. */
  readonly scale?: PerFeature;
  /** Reach upwards; default: `scale`. */
  readonly up?: PerFeature;
  /** Reach downwards; default: `scale`. */
  readonly down?: PerFeature;
  /** Range that inputs are clipped to; null for no range. Default: the range of the dataset. */
  readonly range?: { readonly min: PerFeature; readonly max: PerFeature } | null;
  /** Single features, by name in the dataset or by index: their values replace those above. */
  readonly features?: { readonly [feature: string]: FeatureSpec };
  /** Categorical groups that may change to any category: names of columns, or lists of features. */
  readonly categories?: readonly (string | readonly (string | number)[])[];
}

type Check = (value: unknown) => boolean;

const isReach = (value: unknown) => typeof value === 'number' && value >= 0 && Number.isFinite(value);
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);
const isList = (value: unknown, check: Check) => Array.isArray(value) && value.length > 0 && value.every(check);
const perFeature = (check: Check) => (value: unknown) => check(value) || isList(value, check);
const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isName = (value: unknown) => typeof value === 'string' && value !== '';
const isIndex = (value: unknown) => typeof value === 'number' && Number.isInteger(value) && value >= 0;

const REACH = { check: perFeature(isReach), wanted: 'a number >= 0 or a list of them: multiples of epsilon' };

/** Each key of a set, and what it takes. */
const KEYS: { readonly [key in keyof Required<PerturbationSpec>]: { readonly check: Check; readonly wanted: string } } =
  {
    kind: { check: (value) => value === 'linf' || value === 'l2', wanted: '"linf" or "l2"' },
    ...{ scale: REACH, up: REACH, down: REACH },
    range: {
      check: (value) =>
        value === null ||
        (isObject(value) &&
          Object.keys(value).sort().join() === 'max,min' &&
          Object.values(value).every(perFeature(isNumber))),
      wanted: '{ "min": 0, "max": 1 }, with numbers or lists of them, or null for no range',
    },
    features: { check: isObject, wanted: 'an object such as { "age": { "scale": 0 } }' },
    categories: {
      check: (value) =>
        Array.isArray(value) &&
        value.every((group) => isName(group) || isList(group, (item) => isName(item) || isIndex(item))),
      wanted: 'a list of column names or of lists of features',
    },
  };

const FEATURE_KEYS: { readonly [key in keyof Required<FeatureSpec>]: Check } = {
  ...{ scale: isReach, up: isReach, down: isReach },
  ...{ min: (value) => value === null || isNumber(value), max: (value) => value === null || isNumber(value) },
};

/** The keys of a Euclidean set. */
const L2_KEYS: readonly string[] = ['kind', 'range'];

/**
 * Checks a perturbation set of a configuration or a JSON file.
 *
 * @param where the option or file, for messages
 * @throws CertError `bad-argument` naming the key
 */
export function checkPerturbationSpec(value: unknown, where: string): asserts value is PerturbationSpec {
  if (!isObject(value)) {
    throw new CertError(
      'bad-argument',
      `${where} is ${describeValue(value)}.`,
      'Give an object such as { "kind": "linf", "features": { "age": { "scale": 0 } } }, or the path of a JSON file with one.',
    );
  }
  for (const [key, own] of Object.entries(value)) {
    checkKey(key, KEYS, where);
    const { check, wanted } = KEYS[key as keyof PerturbationSpec];
    if (!check(own)) {
      throw new CertError('bad-argument', `${where}: "${key}" is ${describeValue(own)}.`, `Give ${wanted}.`);
    }
    if (value.kind === 'l2' && !L2_KEYS.includes(key)) {
      throw new CertError(
        'bad-argument',
        `${where}: "${key}" was given with "kind": "l2".`,
        'A Euclidean set has one radius for all features; use "kind": "linf" for a radius per feature.',
      );
    }
  }
  for (const [feature, own] of Object.entries(value.features ?? {}))
    checkFeature(own, `${where}: feature "${feature}"`);
}

function checkFeature(value: unknown, where: string): void {
  if (!isObject(value)) {
    throw new CertError(
      'bad-argument',
      `${where} is ${describeValue(value)}.`,
      'Give an object such as { "scale": 0 }.',
    );
  }
  for (const [key, own] of Object.entries(value)) {
    checkKey(key, FEATURE_KEYS, where);
    if (FEATURE_KEYS[key as keyof FeatureSpec](own)) continue;
    const wanted =
      key === 'min' || key === 'max' ? 'a number, or null for no limit' : 'a number >= 0: a multiple of epsilon';
    throw new CertError('bad-argument', `${where}: "${key}" is ${describeValue(own)}.`, `Give ${wanted}.`);
  }
}

function checkKey(key: string, keys: object, where: string): void {
  if (Object.hasOwn(keys, key)) return;
  const known = Object.keys(keys);
  throw new CertError(
    'bad-argument',
    `${where} has the unknown key "${key}".`,
    `Known keys: ${known.join(', ')}. ${didYouMean(key, known)}`.trimEnd(),
  );
}

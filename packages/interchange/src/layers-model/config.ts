import { describeValue } from '@cert/core';
import type { Pair } from '../graph/windows.js';
import { badLayer, type NamedLayer, unsupported } from './errors.js';

/** A JSON object. */
export type Json = { readonly [key: string]: unknown };

/** Whether a value is a JSON object. */
export const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lengths that no network has: sums of them would lose digits. */
const MOST = 2 ** 24;

const isCount = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= MOST;

/** The settings of a layer by name and type. A wrong type is a `bad-file`; null counts as left out. */
export interface LayerConfig {
  /** The value as it is; undefined where it is left out. */
  value(key: string): unknown;
  /** A finite number. */
  number(key: string, otherwise: number): number;
  /** A finite number; undefined where it is left out. */
  optionalNumber(key: string): number | undefined;
  /** A whole number from 1. */
  count(key: string, otherwise?: number): number;
  /** One whole number from 1 for rows and columns, or one for each. */
  pair(key: string, otherwise?: Pair): Pair;
  /** Whole numbers, which may be negative. */
  integers(key: string): readonly number[];
  /** True or false. */
  flag(key: string, otherwise: boolean): boolean;
  /** A text. */
  text(key: string, otherwise: string): string;
  /** Settings that do not matter when the network is run. */
  ignore(...keys: readonly string[]): void;
  /** @throws CertError `missing-rule` for a setting that was neither read nor ignored: ignoring it would import another network */
  finish(): void;
}

/** Settings of every layer that do not change what it computes. */
const COMMON = [
  'name',
  'trainable',
  'dtype',
  'batch_input_shape',
  'batch_shape',
  'batch_size',
  'input_shape',
  'input_dtype',
  'sparse',
  'ragged',
  'optional',
  'autocast',
  'activity_regularizer',
];

/** Settings that matter for training only. */
const TRAINING = /_(initializer|regularizer|constraint)$/;

/** The settings of a layer. */
export function configOf(layer: NamedLayer & { readonly config: Json }): LayerConfig {
  const { config } = layer;
  const read = new Set(COMMON);
  const value = (key: string): unknown => {
    read.add(key);
    return Object.hasOwn(config, key) ? (config[key] ?? undefined) : undefined;
  };
  const fail = (key: string, what: string) =>
    badLayer(layer, `whose setting "${key}" is ${describeValue(config[key] ?? null)} instead of ${what}`);
  const typed = <T>(key: string, otherwise: T | undefined, is: (value: unknown) => value is T, what: string): T => {
    const given = value(key) ?? otherwise;
    if (!is(given)) throw fail(key, what);
    return given;
  };
  const isNumber = (given: unknown): given is number => Number.isFinite(given);
  return {
    value,
    number: (key, otherwise) => typed(key, otherwise, isNumber, 'a number'),
    optionalNumber(key) {
      return value(key) === undefined ? undefined : typed(key, undefined, isNumber, 'a number');
    },
    count: (key, otherwise) =>
      typed(key, otherwise, (given): given is number => isCount(given, 1), 'a whole number from 1'),
    pair(key, otherwise) {
      const given = value(key) ?? otherwise;
      const list = Array.isArray(given) ? given : [given];
      if (list.length > 2 || list.length === 0 || !list.every((n) => isCount(n, 1))) {
        throw fail(key, 'one or two whole numbers from 1');
      }
      return [list[0]!, list.at(-1)!];
    },
    integers(key) {
      const given = value(key);
      const list = typeof given === 'number' ? [given] : given;
      const is = (n: unknown): n is number => Number.isSafeInteger(n) && Math.abs(n as number) <= MOST;
      if (!Array.isArray(list) || list.length > 8 || !list.every(is)) throw fail(key, 'a list of whole numbers');
      return list;
    },
    flag: (key, otherwise) =>
      typed(key, otherwise, (given): given is boolean => typeof given === 'boolean', 'true or false'),
    text: (key, otherwise) => typed(key, otherwise, (given): given is string => typeof given === 'string', 'a text'),
    ignore(...keys) {
      for (const key of keys) read.add(key);
    },
    finish() {
      checkDtype(layer);
      const other = Object.keys(config).find(
        (key) => !read.has(key) && !TRAINING.test(key) && (config[key] ?? undefined) !== undefined,
      );
      if (other === undefined) return;
      throw unsupported(
        layer,
        `it has the setting "${other.slice(0, 40)}": ${describeValue(config[other])}`,
        'Leave the setting out, if the layer computes the same without it.',
      );
    },
  };
}

/** The name of a data type, which newer versions of Keras wrap in an object. */
function dtypeOf(value: unknown): unknown {
  if (!isJson(value)) return value ?? 'float32';
  return isJson(value.config) ? value.config.name : undefined;
}

function checkDtype(layer: NamedLayer & { readonly config: Json }): void {
  const dtype = dtypeOf(layer.config.dtype);
  if (dtype === 'float32') return;
  throw unsupported(
    layer,
    `it computes in ${describeValue(dtype ?? null)}`,
    'Build the model with the data type float32, also of its inputs, and save it again.',
  );
}

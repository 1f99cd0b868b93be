/**
 * JSON without doubt. JSON.parse keeps the last of two equal keys, so that two readers may see two different certificates in one text; here a key
 * that occurs twice is an error, and so is one that nobody reads.
 */
import { demand, within } from './refused.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Takes a value of one form and refuses all others; `where` names the value in the reason. */
export type Read<T> = (json: Json, where: string) => T;

/** In valid JSON: a string, with the colon after it if it is a key. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"\s*:?/g;
const MAX_DEPTH = 32;

/** @param what the name of the text, for messages */
export function parseJson(text: string, what: string): Json {
  const keysIn = (value: Json, depth: number): number => {
    demand(depth <= MAX_DEPTH, `${what} has more than ${MAX_DEPTH} levels`);
    demand(typeof value !== 'number' || Number.isFinite(value), `${what} has a number that is not below 1.8e308`);
    if (value === null || typeof value !== 'object') return 0;
    const keys = Array.isArray(value) ? 0 : Object.keys(value).length;
    return Object.values(value).reduce((sum: number, item: Json) => sum + keysIn(item, depth + 1), keys);
  };
  const json: Json = within(`${what} is not JSON`, () => JSON.parse(text));
  const written = (text.match(STRING) ?? []).filter((string) => string.endsWith(':')).length;
  demand(keysIn(json, 0) === written, `${what} has a key that occurs twice`);
  return json;
}

export const any: Read<Json> = (json) => json;

export const text: Read<string> = (json, where) => {
  demand(typeof json === 'string', `${where} is not a string`);
  return json;
};

export const number: Read<number> = (json, where) => {
  demand(typeof json === 'number', `${where} is not a number`);
  return json;
};

/** A whole number from `least` to 2^31. */
export const count =
  (least: number): Read<number> =>
  (json, where) => {
    const valid = typeof json === 'number' && Number.isInteger(json) && json >= least && json <= 2 ** 31;
    demand(valid, `${where} is not a whole number from ${least}`);
    return json;
  };

export const oneOf =
  <const T extends string>(...values: readonly T[]): Read<T> =>
  (json, where) => {
    const value = values.find((each) => each === json);
    demand(value !== undefined, `${where} is "${json}", neither ${values.map((each) => `"${each}"`).join(' nor ')}`);
    return value;
  };

/** @param item the name of each item, for messages; without it that of the list */
export const list =
  <T>(read: Read<T>, item?: string): Read<readonly T[]> =>
  (json, where) => {
    demand(Array.isArray(json), `${where} is not a list`);
    return json.map((each) => read(each, item ?? where));
  };

/** A shape: one to four positive whole numbers. */
export const shape: Read<readonly number[]> = (json, where) => {
  const sides = list(count(1))(json, where);
  demand(sides.length >= 1 && sides.length <= 4, `${where} does not have one to four numbers`);
  return sides;
};

/** An object with any keys. */
export const record =
  <T>(read: Read<T>): Read<ReadonlyMap<string, T>> =>
  (json, where) => {
    demand(typeof json === 'object' && json !== null && !Array.isArray(json), `${where} is not an object`);
    return new Map(Object.entries(json).map(([key, value]) => [key, read(value, `${where}: "${key}"`)]));
  };

/** What is read of each field. */
export type Fields = { readonly [key: string]: Read<unknown> };
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Read<infer T> ? T : never };

function readFields(json: Json, where: string, required: Fields, optional: Fields = {}) {
  const found = record(any)(json, where);
  for (const key of Object.keys(required)) demand(found.has(key), `${where} has no "${key}"`);
  const fields: Fields = { ...required, ...optional };
  const entries = [...found].map(([key, value]) => {
    demand(Object.hasOwn(fields, key), `${where} has the unknown field "${key}"`);
    return [key, fields[key]!(value, `${where}: ${key}`)];
  });
  return Object.fromEntries(entries);
}

/** An object that has all required fields, perhaps some optional ones, and no other. */
export const object =
  <R extends Fields, O extends Fields = Record<never, never>>(
    required: R,
    optional?: O,
  ): Read<Values<R> & Partial<Values<O>>> =>
  (json, where) =>
    readFields(json, where, required, optional);

/** An object whose field `kind` says which other fields it has. */
export const kinds =
  <F extends { readonly [kind: string]: Fields }>(
    forms: F,
  ): Read<{ [K in keyof F]: { readonly kind: K } & Values<F[K]> }[keyof F]> =>
  (json, where) => {
    const kind = record(any)(json, where).get('kind');
    demand(typeof kind === 'string' && Object.hasOwn(forms, kind), `the kind of ${where} is not known: "${kind}"`);
    return readFields(json, where, { kind: text, ...forms[kind] });
  };

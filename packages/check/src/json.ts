/**
 * JSON without doubt. JSON.parse keeps the last of two equal keys, so that two readers may see two different certificates in one text; here a key
 * that occurs twice is an error, and so is one that nobody reads.
 */
import { demand, within } from './refused.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Takes a value of one form and refuses all others; `where` names the value in the reason. */
export type Read<T> = (json: Json, where: string) => T;

/** How each field of an object is read, and what comes out. */
export type Fields = { readonly [key: string]: Read<unknown> };
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Read<infer T> ? T : never };

/** In valid JSON: a string, with the colon after it if it is a key. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"\s*:?/g;
const MAX_DEPTH = 32;

/** @param what the name of the text, for messages */
export function parseJson(text: string, what: string): Json {
  const keysIn = (value: Json, depth: number): number => {
    demand(depth <= MAX_DEPTH, `${what} has more than ${MAX_DEPTH} levels`);
    demand(typeof value !== 'number' || Number.isFinite(value), `${what} has a number that is not below 1.8e308`);
    if (value === null || typeof value !== 'object') return 0;
    const own = Array.isArray(value) ? 0 : Object.keys(value).length;
    return Object.values(value).reduce((sum: number, item: Json) => sum + keysIn(item, depth + 1), own);
  };
  const json: Json = within(`${what} is not JSON`, () => JSON.parse(text));
  const written = text.match(STRING)?.filter((string) => string.endsWith(':')).length ?? 0;
  demand(keysIn(json, 0) === written, `${what} has a key that occurs twice`);
  return json;
}

export const any: Read<Json> = (json) => json;

/** Takes values that pass a test. */
const having =
  <T extends Json>(test: (json: Json) => json is T, what: string): Read<T> =>
  (json, where) => {
    demand(test(json), `${where} is not ${what}`);
    return json;
  };

export const text = having((json) => typeof json === 'string', 'a string');
export const number = having((json) => typeof json === 'number', 'a number');

/** What `read` takes and passes a test. */
export const such =
  <T>(read: Read<T>, test: (value: T) => boolean, what: string): Read<T> =>
  (json, where) => {
    const value = read(json, where);
    demand(test(value), `${where} is not ${what}`);
    return value;
  };

/** A whole number from `least` to 2^31. */
export const count = (least: number): Read<number> =>
  such(number, (n) => Number.isInteger(n) && n >= least && n <= 2 ** 31, `a whole number from ${least}`);

export const oneOf =
  <const T extends string>(...values: readonly T[]) =>
  (json: Json, where: string) => {
    const value = values.find((each) => each === json);
    demand(value !== undefined, `${where} is "${json}", which is not known, only ${values.join(' and ')}`);
    return value;
  };

/** @param item the name of an item, for messages; without it that of the list */
export const list =
  <T>(read: Read<T>, item?: string) =>
  (json: Json, where: string): readonly T[] => {
    demand(Array.isArray(json), `${where} is not a list`);
    return json.map((each) => read(each, item ?? where));
  };

export const shape = such(list(count(1)), ({ length }) => length >= 1 && length <= 4, 'one to four whole numbers');

/** An object with any keys. */
export const record =
  <T>(read: Read<T>) =>
  (json: Json, where: string) => {
    demand(typeof json === 'object' && json !== null && !Array.isArray(json), `${where} is not an object`);
    return new Map(Object.entries(json).map(([key, value]) => [key, read(value, `${where}: "${key}"`)]));
  };

/** An object that has all of some fields, perhaps hints for people, and no other. */
export function object<F extends Fields>(fields: F, hints: Fields = {}) {
  return (json: Json, where: string): Values<F> => {
    const found = record(any)(json, where);
    for (const key of Object.keys(fields)) demand(found.has(key), `${where} has no "${key}"`);
    const known: Fields = { ...fields, ...hints };
    const values = [...found].map(([key, value]) => {
      demand(Object.hasOwn(known, key), `${where} has the unknown field "${key}"`);
      return [key, known[key]!(value, `${where}: ${key}`)];
    });
    return Object.fromEntries(values);
  };
}

/** The field `kind` of an object, which says which other fields it has. */
export const kindOf = <const T extends string>(json: Json, where: string, ...known: readonly T[]): T =>
  oneOf(...known)(record(any)(json, where).get('kind') ?? null, `the kind of ${where}`);

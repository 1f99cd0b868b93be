/**
 * JSON without doubt. JSON.parse keeps the last of two equal keys, so that two readers may see two different certificates in one text; here a text
 * must be what JSON.stringify writes, which is one text for each content, and a key that nobody reads is an error.
 */
import { demand, within } from './refused.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Takes a value of one form and refuses all others; `where` names the value in the reason. */
export type Read<T> = (json: Json, where: string) => T;

/** How each field of an object is read, and what comes out. */
type Fields = { readonly [key: string]: Read<unknown> };
type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Read<infer T> ? T : never };

/** @param what the name of the text, for messages */
export function parseJson(text: string, what: string): Json {
  const json: Json = within(`${what} is not JSON`, () => JSON.parse(text));
  const same = JSON.stringify(json) === text;
  demand(same, `${what} has a key that occurs twice, or is not written as JSON.stringify writes it`);
  return json;
}

/** Takes values that pass a test. */
export const such =
  <T extends Json>(test: (json: Json) => json is T, what: string): Read<T> =>
  (json, where) => {
    demand(test(json), `${where} is not ${what}`);
    return json;
  };

export const any: Read<Json> = (json) => json;
export const text = such((json) => typeof json === 'string', 'a string');
export const number = such((json) => typeof json === 'number', 'a number');

/** A whole number from `least` to 2^31. */
export const count = (least: number): Read<number> => {
  const fits = (n: Json): n is number => typeof n === 'number' && Number.isInteger(n) && n >= least && n <= 2 ** 31;
  return such(fits, `a whole number from ${least}`);
};

export const oneOf = <const T extends string>(...values: readonly T[]): Read<T> =>
  such((json): json is T => values.some((each) => each === json), values.join(' or '));

/** A list of `least` to `most` items. */
export const list =
  <T>(read: Read<T>, least = 0, most = Number.POSITIVE_INFINITY): Read<readonly T[]> =>
  (json, where) => {
    demand(Array.isArray(json), `${where} is not a list`);
    demand(json.length >= least && json.length <= most, `${where} has ${json.length} items`);
    return json.map((each, i) => read(each, `${where}[${i}]`));
  };

export const shape = list(count(1), 1, 4);

/** An object with any keys. */
export const record =
  <T>(read: Read<T>): Read<Map<string, T>> =>
  (json, where) => {
    demand(typeof json === 'object' && json !== null && !Array.isArray(json), `${where} is not an object`);
    return new Map(Object.entries(json).map(([key, value]) => [key, read(value, `${where}: "${key}"`)]));
  };

/** An object that has all of some fields, perhaps some others, and no more. */
export function object<F extends Fields>(fields: F, others: Fields = {}): Read<Values<F>> {
  return (json, where) => {
    const found = record(any)(json, where);
    for (const key of Object.keys(fields)) demand(found.has(key), `${where} has no "${key}"`);
    const known: Fields = { ...fields, ...others };
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

/**
 * JSON without doubt. JSON.parse keeps the last of two equal keys, so that two readers may see two different certificates in one text; here a key
 * that occurs twice is an error. Objects become maps: no key is special.
 */
import { demand, Refused, reasonOf } from './refused.js';

type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** In valid JSON: a string, with the colon after it if it is a key. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"\s*:?/g;
const MAX_DEPTH = 32;

/** @param what the name of the text, for messages */
export function parseJson(text: string, what: string): Json {
  let keys = 0;
  const convert = (value: Plain, depth: number): Json => {
    demand(depth <= MAX_DEPTH, `${what} has more than ${MAX_DEPTH} levels`);
    demand(typeof value !== 'number' || Number.isFinite(value), `${what} has a number that is not below 1.8e308`);
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item) => convert(item, depth + 1));
    const entries = Object.entries(value);
    keys += entries.length;
    return new Map(entries.map(([key, item]) => [key, convert(item, depth + 1)]));
  };
  let parsed: Plain;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Refused(`${what} is not JSON: ${reasonOf(error)}`);
  }
  const json = convert(parsed, 0);
  let written = 0;
  for (const [string] of text.matchAll(STRING)) if (string.endsWith(':')) written++;
  demand(keys === written, `${what} has a key that occurs twice`);
  return json;
}

/** An object. */
export function objectOf(json: Json | undefined, where: string): JsonObject {
  demand(json instanceof Map, `${where} is not an object`);
  return json;
}

/** An object that has all required keys, perhaps some optional ones, and no other. */
export function fieldsOf(
  json: Json | undefined,
  where: string,
  required: readonly string[],
  optional: readonly string[] = [],
): JsonObject {
  const fields = objectOf(json, where);
  for (const key of required) demand(fields.has(key), `${where} has no "${key}"`);
  for (const key of fields.keys()) {
    demand(required.includes(key) || optional.includes(key), `${where} has the unknown field "${key}"`);
  }
  return fields;
}

/** A string. */
export function textOf(json: Json | undefined, where: string): string {
  demand(typeof json === 'string', `${where} is not a string`);
  return json;
}

/** A list. */
export function listOf(json: Json | undefined, where: string): readonly Json[] {
  demand(Array.isArray(json), `${where} is not a list`);
  return json;
}

/** A number. */
export function numberOf(json: Json | undefined, where: string): number {
  demand(typeof json === 'number', `${where} is not a number`);
  return json;
}

/** A whole number from `least` to 2^31. */
export function countOf(json: Json | undefined, where: string, least: number): number {
  demand(
    typeof json === 'number' && Number.isInteger(json) && json >= least && json <= 2 ** 31,
    `${where} is not a whole number from ${least}`,
  );
  return json;
}

/** A shape: one to four positive whole numbers. */
export function shapeOf(json: Json | undefined, where: string): readonly number[] {
  const list = listOf(json, where);
  demand(list.length >= 1 && list.length <= 4, `${where} does not have one to four numbers`);
  return list.map((n) => countOf(n, where, 1));
}

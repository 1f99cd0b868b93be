/**
 * A strict JSON reader. JSON.parse keeps the last of two equal keys, so that two readers may see two different certificates
 * in one text; here a key that occurs twice is an error. Objects become maps: no key is special.
 */
import { demand, Refused } from './refused.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = { true: true, false: false, null: null } as const;
const MAX_DEPTH = 32;

/** @param what the name of the text, for messages */
export function parseJson(text: string, what: string): Json {
  let at = 0;

  const fail = (expected: string): never => {
    throw new Refused(`${what} is not strict JSON: expected ${expected} at character ${at}`);
  };
  const skipSpace = (): void => {
    while (at < text.length && ' \t\n\r'.includes(text[at]!)) at++;
  };
  const take = (char: string): boolean => {
    skipSpace();
    if (text[at] !== char) return false;
    at++;
    return true;
  };

  function string(): string {
    const start = at;
    if (text[at] !== '"') fail('a string');
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length) fail('a closing quote');
      if (text[at] === '\\') at++;
    }
    at++;
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail('a string without control characters and unknown escapes');
    }
  }

  function object(depth: number): JsonObject {
    const entries = new Map<string, Json>();
    if (take('}')) return entries;
    do {
      skipSpace();
      const key = string();
      if (entries.has(key)) fail(`another key than "${key}", which occurs twice,`);
      if (!take(':')) fail('":"');
      entries.set(key, value(depth));
    } while (take(','));
    if (!take('}')) fail('"," or "}"');
    return entries;
  }

  function array(depth: number): readonly Json[] {
    const items: Json[] = [];
    if (take(']')) return items;
    do items.push(value(depth));
    while (take(','));
    if (!take(']')) fail('"," or "]"');
    return items;
  }

  function value(depth: number): Json {
    if (depth > MAX_DEPTH) fail(`at most ${MAX_DEPTH} levels`);
    if (take('{')) return object(depth + 1);
    if (take('[')) return array(depth + 1);
    if (text[at] === '"') return string();
    for (const [word, meaning] of Object.entries(WORDS)) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    NUMBER.lastIndex = at;
    const digits = NUMBER.exec(text)?.[0] ?? fail('a value');
    if (!Number.isFinite(Number(digits))) fail('a number below 1.8e308');
    at += digits.length;
    return Number(digits);
  }

  const result = value(0);
  skipSpace();
  if (at !== text.length) fail('the end');
  return result;
}

/** An object that has all required keys, perhaps some optional ones, and no other. */
export function fieldsOf(
  json: Json | undefined,
  where: string,
  required: string[],
  optional: string[] = [],
): JsonObject {
  demand(json instanceof Map, `${where} is not an object`);
  for (const key of required) demand(json.has(key), `${where} has no "${key}"`);
  for (const key of json.keys()) {
    demand(required.includes(key) || optional.includes(key), `${where} has the unknown field "${key}"`);
  }
  return json;
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

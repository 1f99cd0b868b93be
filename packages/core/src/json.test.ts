import { describe, expect, it } from 'vitest';
import { describeValue, parseJson } from './index.js';

describe('parseJson', () => {
  it.each(['1', '"a"', '[]', '{"a":{"a":1},"b":[{"a":1}]}', '{"x":"{\\"a\\":1,\\"a\\":2}"}', ' {"\\\\":1,"\\"":2} '])(
    'reads what JSON.parse reads: %s',
    (text) => {
      expect(parseJson(text)).toEqual(JSON.parse(text));
    },
  );

  it.each([
    ['{"a":1,"a":1}', 'a'],
    ['[{"b":[{"a":1,"c":"a","a":2}]}]', 'a'],
    // Another spelling of the same key.
    ['{"mo\\u0064el":1,"model":2}', 'model'],
    ['{"\\\\":1,"\\\\":2}', '\\'],
  ])('refuses a key that occurs twice: %s', (text, key) => {
    expect(() => parseJson(text)).toThrow(`the key ${JSON.stringify(key)} occurs twice in the same object`);
  });

  it('refuses a value so deep that JSON.stringify would fail', () => {
    const nested = (depth: number) => '[{"a":'.repeat(depth / 2) + 1 + '}]'.repeat(depth / 2);
    expect(JSON.stringify(parseJson(nested(500)))).toBe(nested(500));
    expect(() => parseJson(nested(502))).toThrow('nested deeper than 500 levels');
    expect(() => parseJson(nested(200_000))).toThrow('nested deeper than 500 levels');
  });

  it('reads texts of many megabytes', () => {
    const value = { plain: 'a'.repeat(3e7), escaped: '"\\'.repeat(1e7) };
    expect(parseJson(JSON.stringify(value))).toEqual(value);
  });

  it('refuses what is not JSON', () => {
    expect(() => parseJson('{"a":NaN}')).toThrow(SyntaxError);
  });
});

it('describeValue shows any value in one short line', () => {
  const circular: unknown[] = [];
  circular.push(circular);
  let deep: unknown = 1;
  for (let i = 0; i < 50_000; i++) deep = [deep];
  const values = [Number.NaN, 'a', [1, null], undefined, circular, deep, 1n, { toString: null }, 'x'.repeat(1e6)];
  expect(values.map(describeValue)).toEqual([
    ...['NaN', '"a"', '[1,null]', 'undefined', 'a value of type object', 'a value of type object'],
    ...['a value of type bigint', '{"toString":null}', `"${'x'.repeat(116)}...`],
  ]);
});

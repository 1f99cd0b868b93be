import { expect, it } from 'vitest';
import { factsOf, readDataFacts } from './data-facts.js';

const range = { min: 0, max: 1 };

it.each([[{ range, classNames: ['cat', 'dog'] }], [{ range }], [{ range: null }]])(
  'reads %o as it was kept',
  (facts) => {
    expect(readDataFacts({ data: JSON.parse(JSON.stringify(factsOf(facts))) }, 2)).toEqual(facts);
  },
);

it('keeps nothing of a range that JSON cannot hold', () => {
  expect(factsOf({ range: { min: Number.NEGATIVE_INFINITY, max: 1 } })).toBeNull();
});

it.each([
  ['a checkpoint of an older version', { position: { step: 0 } }],
  ['no metadata', null],
  ['fewer names than classes', { data: { range, classNames: ['cat'] } }],
  ['names that are none', { data: { range, classNames: [1, 2] } }],
  ['no range', { data: { classNames: ['cat', 'dog'] } }],
  ['an empty range', { data: { range: { min: 1, max: 0 } } }],
  ['a range of words', { data: { range: { min: '0', max: '1' } } }],
  ['a list', { data: [range] }],
])('knows nothing from %s', (_, metadata) => {
  expect(readDataFacts(metadata, 2)).toBeUndefined();
});

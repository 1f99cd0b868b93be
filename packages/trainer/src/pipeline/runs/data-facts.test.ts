import { expect, it } from 'vitest';
import { factsOf, readDataFacts } from './data-facts.js';

const range = { min: 0, max: 1 };
const model = { inputShape: [3], classes: 2 };
const rows = {
  featureNames: ['x', 'kind=a', 'kind=b'],
  categories: { kind: [1, 2] },
  featureScale: [2, 0, 0],
  target: null,
};

it.each([[{ range, classNames: ['cat', 'dog'] }], [{ range }], [{ range: null }]])(
  'reads %o as it was kept',
  (facts) => {
    expect(readDataFacts({ data: JSON.parse(JSON.stringify(factsOf(facts))) }, model)).toEqual(facts);
  },
);

it.each([[undefined], [{ name: 'price', mean: 3, std: 0.5 }]])('keeps what rows mean, with the target %o', (target) => {
  const { featureNames, categories, featureScale } = rows;
  const kept = JSON.parse(JSON.stringify(factsOf({ range: null, featureNames, categories, featureScale, target })));
  expect(readDataFacts({ data: kept }, model)).toEqual({ range: null, rows: { ...rows, target: target ?? null } });
});

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
  ['rows of fewer features', { data: { range: null, rows: { ...rows, featureNames: ['x'], featureScale: [2] } } }],
  ['rows of another number of scales', { data: { range: null, rows: { ...rows, featureScale: [2, 0] } } }],
  ['a scale below 0', { data: { range: null, rows: { ...rows, featureScale: [-2, 0, 0] } } }],
  ['a group of other features', { data: { range: null, rows: { ...rows, categories: { kind: [0, 1] } } } }],
  ['a group of features that are none', { data: { range: null, rows: { ...rows, categories: { kind: [1, 3] } } } }],
  ['a target without moments', { data: { range: null, rows: { ...rows, target: { name: 'price' } } } }],
])('knows nothing from %s', (_, metadata) => {
  expect(readDataFacts(metadata, model)).toBeUndefined();
});

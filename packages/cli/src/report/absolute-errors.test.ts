import { describe, expect, it } from 'vitest';
import { type AbsoluteError, absoluteSentence, valueText } from './absolute-errors.js';

const standard: AbsoluteError = {
  ...{ kind: 'standard', name: 'mean absolute error', source: 'evaluation', value: 1.25, rows: 80 },
};
const verified: AbsoluteError = {
  ...{ kind: 'verified', name: 'verified absolute error by IBP (deployed)', source: 'report', value: 2.5, rows: 80 },
};

describe('absoluteSentence', () => {
  it('says both means, the first row of each kind', () => {
    expect(absoluteSentence([standard, { ...standard, value: 9 }, verified], 'debt', 80)).toBe(
      'The mean absolute error of "debt" is 1.25; under perturbations within this radius it is at most 2.5, the verified absolute error by IBP (deployed).',
    );
  });

  it('says what it is about where that is not all rows or not now, and what is not known', () => {
    expect(absoluteSentence([standard, { ...verified, rows: 20 }], 'debt', 80)).toMatch(
      /the verified absolute error by IBP \(deployed\), over the first 20 rows\.$/,
    );
    expect(absoluteSentence([standard, { ...verified, source: 'training' }], 'debt', 80)).toMatch(
      /\(deployed\), at the end of training\.$/,
    );
    expect(absoluteSentence([standard, { ...verified, value: null }], 'debt', null)).toBe(
      'The mean absolute error of "debt" is 1.25; no bound of it under perturbations is finite (verified absolute error by IBP (deployed)).',
    );
    expect(absoluteSentence([standard], 'debt', null)).toBe('The mean absolute error of "debt" is 1.25.');
    expect(absoluteSentence([verified], 'debt', null)).toBe('');
  });
});

it('rounds a bound up', () => {
  expect(valueText({ kind: 'verified', value: 2.00000001 })).toBe('2.00001');
  expect(valueText({ kind: 'standard', value: 2.00000001 })).toBe('2');
  expect(valueText({ kind: 'standard', value: null })).toBe('not finite');
});

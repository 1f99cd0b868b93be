import type { LinearInequality, Property } from '@cert/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readVnnlib, writeVnnlib } from '../index.js';

const row = (bound: number, ...coefficients: number[]): LinearInequality => ({
  coefficients: Float64Array.from(coefficients),
  bound,
});
const box = { lower: Float64Array.of(0, -0.5), upper: Float64Array.of(1, 1e-7) };
const robust: Property = {
  ...{ inputs: 2, outputs: 3 },
  cases: [
    { ...box, outputs: [row(0, 1, -1, 0)] },
    { ...box, outputs: [row(0, 1, 0, -1)] },
  ],
};

describe('writeVnnlib', () => {
  it('writes robustness as the tools of VNN-COMP expect it', () => {
    expect(writeVnnlib(robust, 'Image 3\nlabel 0')).toBe(`; Image 3
; label 0
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(declare-const Y_2 Real)

(assert (>= X_0 0))
(assert (<= X_0 1))
(assert (>= X_1 -0.5))
(assert (<= X_1 0.0000001))
(assert (or
  (and (<= Y_0 Y_1))
  (and (<= Y_0 Y_2))
))
`);
    expect(readVnnlib(writeVnnlib(robust))).toEqual(robust);
  });

  it('writes a single case without an or, and bounds of single outputs', () => {
    const one = { ...robust, cases: [{ ...box, outputs: [row(0.5, 1, 0, 0), row(-2, 0, -1, 0), row(1, 0, 2, 0.25)] }] };
    const text = writeVnnlib(one);
    expect(text.split('\n').slice(-4)).toEqual([
      ...['(assert (<= Y_0 0.5))', '(assert (>= Y_1 2))', '(assert (<= (+ (* 2 Y_1) (* 0.25 Y_2)) 1))', ''],
    ]);
    expect(readVnnlib(text)).toEqual(one);
  });

  it('writes cases of several boxes', () => {
    const other = { lower: Float64Array.of(2, 2), upper: Float64Array.of(3, 3) };
    const two = { ...robust, cases: [robust.cases[0]!, { ...other, outputs: [] }] };
    expect(readVnnlib(writeVnnlib(two))).toEqual(two);
  });

  it('writes what holds for all inputs or for none', () => {
    const always = { ...box, outputs: [row(1, 0, 0, 0)] };
    expect(readVnnlib(writeVnnlib({ ...robust, cases: [robust.cases[0]!, always] })).cases).toEqual([
      { ...box, outputs: [] },
    ]);
    const never = { ...box, outputs: [row(-1, 0, 0, 0)] };
    expect(readVnnlib(writeVnnlib({ ...robust, cases: [never] })).cases).toEqual([]);
    expect(readVnnlib(writeVnnlib({ ...robust, cases: [] }))).toEqual({ ...robust, cases: [] });
  });

  it('keeps every number', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(5e-324, -1e22, 1e21, 1.7e308),
    );
    fc.assert(
      fc.property(number, number, number, (a, b, bound) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const cases = [
          { lower: Float64Array.of(low), upper: Float64Array.of(high), outputs: [row(bound, 1), row(-bound, -1)] },
        ];
        const text = writeVnnlib({ inputs: 1, outputs: 1, cases });
        expect(text).not.toMatch(/\de/);
        const [read] = readVnnlib(text).cases;
        // Zero has no sign there.
        expect([read!.lower[0], read!.upper[0], read!.outputs[0]!.bound]).toEqual([low + 0, high + 0, bound + 0]);
      }),
    );
  });

  it.each([
    [{ ...robust, inputs: 3 }, 'shape-mismatch', 'Case 0 of the property does not have 3 inputs and 3 outputs.'],
    [{ ...robust, outputs: 2 }, 'shape-mismatch', 'Case 0 of the property does not have 2 inputs and 2 outputs.'],
    [
      { ...robust, cases: [{ ...robust.cases[0]!, upper: Float64Array.of(1, -1) }] },
      ...(['bad-argument', 'Case 0 of the property has the bounds [-0.5, -1] for input 1.'] as const),
    ],
    [
      { ...robust, cases: [{ ...robust.cases[0]!, upper: Float64Array.of(1, Number.NaN) }] },
      ...(['bad-argument', 'Case 0 of the property has the bounds [-0.5, NaN] for input 1.'] as const),
    ],
    [
      { ...robust, cases: [{ ...box, outputs: [row(Number.NaN, 1, 0, 0)] }] },
      ...(['bad-argument', 'an inequality 0 with a number that is NaN or infinite'] as const),
    ],
  ])('refuses %#', (property, code, message) => {
    expect(() => writeVnnlib(property)).toThrow(expect.objectContaining({ name: 'CertError', code }));
    expect(() => writeVnnlib(property)).toThrow(message);
  });
});

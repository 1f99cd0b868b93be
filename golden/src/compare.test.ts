import { describe, expect, it } from 'vitest';
import { Comparison, ownTolerance } from './compare.js';
import { Field } from './field.js';

const row = (actual: number[], expected: number[], tolerance = { relative: 1e-3, absolute: 1e-6 }) => {
  const comparison = new Comparison('file', 'device');
  comparison.add('quantity', actual, { shape: [expected.length], data: expected }, tolerance);
  return comparison.rows()[0]!;
};

describe('Comparison', () => {
  it('allows absolute + relative * expected for each number', () => {
    expect(row([1000.5, 1e-6], [1000, 0])).toMatchObject({ outcome: 'pass', relative: 5e-4 });
    expect(row([1001.1, 0], [1000, 0]).outcome).toBe('FAIL');
    expect(row([1000, 2e-6], [1000, 0])).toMatchObject({ outcome: 'FAIL', note: '[1] 0.000002 for 0' });
  });

  it('takes NaN and infinities for equal only to themselves', () => {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    expect(row(special, special).outcome).toBe('pass');
    for (const value of special) {
      expect(row([value], [1]).outcome).toBe('FAIL');
      expect(row([1], [value]).outcome).toBe('FAIL');
      expect(row([value], [0]).outcome).toBe('FAIL');
    }
    expect(row([Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY]).outcome).toBe('FAIL');
  });

  it('fails where sizes differ, nothing was computed or nothing is expected', () => {
    expect(row([1], [1, 2])).toMatchObject({ outcome: 'FAIL', note: 'the value has 1 numbers, not 2' });
    expect(row([], []).outcome).toBe('FAIL');
    const comparison = new Comparison('file', 'device');
    comparison.add('quantity', undefined, 1);
    expect(comparison.rows()[0]).toMatchObject({ outcome: 'FAIL', note: 'the value was not computed' });
  });

  it('keeps a failure when parts that pass follow', () => {
    const comparison = new Comparison('file', 'device');
    comparison.add('quantity', 1, 2, undefined, 'first');
    comparison.add('quantity', 2, 2, undefined, 'second');
    expect(comparison.rows()).toHaveLength(1);
    expect(comparison.rows()[0]).toMatchObject({ outcome: 'FAIL', absolute: 1, relative: 0.5, note: 'first 1 for 2' });
  });

  it('compares with limits', () => {
    const outcome = (actual: number[], limits: number[]) => {
      const comparison = new Comparison('file', 'device');
      const tolerance = { relative: 0, absolute: 1e-3 };
      comparison.addAtMost('quantity', actual, { shape: [limits.length], data: limits }, tolerance);
      return comparison.rows()[0]!.outcome;
    };
    expect(outcome([-5, 1.0005], [0, 1])).toBe('pass');
    expect(outcome([Number.NEGATIVE_INFINITY], [0])).toBe('pass');
    expect(outcome([-5, 1.002], [0, 1])).toBe('FAIL');
    expect(outcome([Number.NaN], [0])).toBe('FAIL');
    expect(outcome([0], [0, 1])).toBe('FAIL');
  });
});

describe('ownTolerance', () => {
  const file = new Field({ max_abs_f32_vs_f64: { margins: 3e-4 } }, '');

  it("is ten times the file's own distance from float64, or ten roundings of the largest number", () => {
    expect(ownTolerance(file, 'margins', 5)).toEqual({ relative: 1e-5, absolute: 10 * 3e-4 });
    const large = { shape: [2], data: [-1e4, Number.POSITIVE_INFINITY] };
    expect(ownTolerance(file, 'margins', large).absolute).toBeCloseTo(1e4 * 10 * 2 ** -23, 9);
  });

  it('is 1e-5 where the file says nothing', () => {
    expect(ownTolerance(file, 'others', 5).absolute).toBe(1e-5);
    expect(ownTolerance(new Field({}, ''), 'margins', 5).absolute).toBe(1e-5);
  });
});

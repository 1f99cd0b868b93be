import fc from 'fast-check';
import { expect, it } from 'vitest';
import { notAbove, notBelow } from './text.js';

it.each([
  [20, '20', '20'],
  [0.001, '0.001', '0.001'],
  [0, '0', '0'],
  [172.6192315, '172.619', '172.62'],
  [-17.3056401, '-17.3057', '-17.3056'],
  [1_234_567.8, '1234560', '1234570'],
  [0.3 - 2 ** -54, '0.299999', '0.3'],
  [9.9999999, '9.99999', '10'],
  [1.0000001, '1', '1.00001'],
])('rounds %f down to %s and up to %s', (x, down, up) => {
  expect([notAbove(x), notBelow(x)]).toEqual([down, up]);
});

it('never lets a bound grow beyond what is proved', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-300, max: 1e300 }),
      fc.boolean(),
      (size, sign) => {
        const x = sign ? size : -size;
        expect(Number(notAbove(x))).toBeLessThanOrEqual(x);
        expect(Number(notBelow(x))).toBeGreaterThanOrEqual(x);
        expect(Number(notBelow(x)) - Number(notAbove(x))).toBeLessThanOrEqual(2e-5 * Math.abs(x));
      },
    ),
  );
});

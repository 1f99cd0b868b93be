import { expect, it } from 'vitest';
import { afterTest, secondsLeft } from './time-left.js';

const remaining = { steps: 100, tests: 2, batchSize: 10, testImages: 300, finalImages: 300, attackSteps: 0 };

it('counts steps, the tests behind epochs and the final evaluation', () => {
  // A step takes 0.5 s and a test, which was measured, 4 s: 100 steps, two tests and the final one.
  const pace = { steps: 20, stepSeconds: 10, tests: 3, testSeconds: 12 };
  expect(secondsLeft(pace, remaining)).toBeCloseTo(50 + 3 * 4, 9);
  // Each of 120 attack steps takes three quarters of a test.
  expect(secondsLeft(pace, { ...remaining, attackSteps: 120 })).toBeCloseTo(50 + 3 * 4 + 360, 9);
  // The final evaluation is of more images than the tests, where these are of validation images.
  expect(secondsLeft(pace, { ...remaining, finalImages: 900 })).toBeCloseTo(50 + 2 * 4 + 12, 9);
  // At the end of the last epoch the final evaluation is left.
  expect(secondsLeft(pace, { ...remaining, steps: 0, tests: 0 })).toBeCloseTo(4, 9);
});

it('estimates a test before the first one', () => {
  const pace = { steps: 20, stepSeconds: 10, tests: 0, testSeconds: 0 };
  expect(secondsLeft(pace, remaining)).toBeCloseTo(50 + (3 * 300 * 0.05) / 3, 9);
});

it('does not take the compilation of the first test for the time of a test', () => {
  const pace = { steps: 20, stepSeconds: 10, tests: 0, testSeconds: 0 };
  const compiled = afterTest(pace, 60, true);
  expect(secondsLeft(compiled, remaining)).toBe(secondsLeft(pace, remaining));
  expect(secondsLeft(afterTest(compiled, 4, false), remaining)).toBeCloseTo(50 + 3 * 4, 9);
});

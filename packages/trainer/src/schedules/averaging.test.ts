import { describe, expect, it } from 'vitest';
import { emaSchedule, swaSchedule } from './averaging.js';

const steps = Array.from({ length: 12 }, (_, step) => step);

describe('swaSchedule', () => {
  it('takes the n-th sample, with the weight 1/n, after the last step of an epoch', () => {
    expect(steps.map(swaSchedule({ start: 2, stepsPerEpoch: 3 }))).toEqual([
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      0,
      1 / 2,
      0,
      0,
      1 / 3,
    ]);
    expect(steps.map(swaSchedule({ start: 1, stepsPerEpoch: 6 })).filter((weight) => weight > 0)).toEqual([1, 1 / 2]);
  });
});

describe('emaSchedule', () => {
  it('begins with the weights after the first step of its epoch, and decays', () => {
    expect(steps.map(emaSchedule({ start: 3, stepsPerEpoch: 4, decay: 0.75 }))).toEqual([
      ...[0, 0, 0, 0, 0, 0, 0, 0],
      ...[1, 0.25, 0.25, 0.25],
    ]);
    expect(emaSchedule({ start: 1, stepsPerEpoch: 1 })(1)).toBeCloseTo(1e-3, 15);
  });

  it.each([1, -0.1, 1.5, Number.NaN])('refuses the decay %d', (decay) => {
    expect(() => emaSchedule({ start: 1, stepsPerEpoch: 1, decay })).toThrow(
      `The decay of the exponential moving average is ${decay}.\nGive a number of at least 0 and less than 1, such as 0.999.`,
    );
  });
});

it.each([swaSchedule, emaSchedule])(
  '%o refuses an epoch or a number of steps that is not a whole number from 1',
  (schedule) => {
    for (const start of [0, 1.5, Number.NaN]) {
      expect(() => schedule({ start, stepsPerEpoch: 3 })).toThrow(
        `The schedule option start is ${start}.\nGive an epoch, a whole number from 1.`,
      );
    }
    expect(() => schedule({ start: 1, stepsPerEpoch: 0 })).toThrow('The schedule option stepsPerEpoch is 0.');
  },
);

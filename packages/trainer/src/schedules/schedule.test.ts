import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearSchedule } from './linear.js';
import { piecewiseSchedule } from './piecewise.js';
import { constantSchedule } from './schedule.js';
import { smoothedSchedule } from './smoothed.js';

interface GoldenSchedule {
  readonly scheduler: 'SmoothedScheduler' | 'LinearScheduler';
  readonly max_eps: number;
  readonly opts: { readonly start: number; readonly length: number };
  readonly epoch_length: number;
  readonly eps_train: readonly (readonly number[])[];
  readonly eps_eval: readonly number[];
}

const golden = JSON.parse(
  readFileSync(new URL('../../../../golden/fixtures/schedules.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly GoldenSchedule[] };

describe('the schedules of the reference implementation', () => {
  it.each(golden.cases.map((c) => [`${c.scheduler} ${c.opts.start}+${c.opts.length}`, c] as const))('%s', (_, c) => {
    const make = c.scheduler === 'SmoothedScheduler' ? smoothedSchedule : linearSchedule;
    const schedule = make({ ...c.opts, target: c.max_eps, stepsPerEpoch: c.epoch_length });
    c.eps_train.flat().forEach((wanted, step) => {
      expect(Math.abs(schedule(step) - wanted), `step ${step}`).toBeLessThanOrEqual(1e-12 * Math.abs(wanted));
    });
    c.eps_eval.forEach((wanted, epoch) => {
      const last = (epoch + 1) * c.epoch_length - 1;
      expect(Math.abs(schedule(last) - wanted)).toBeLessThanOrEqual(1e-12 * Math.abs(wanted));
    });
  });
});

describe('smoothedSchedule', () => {
  const ramp = fc.record({
    start: fc.integer({ min: 1, max: 5 }),
    length: fc.integer({ min: 0, max: 8 }),
    target: fc.double({ min: 1e-3, max: 1, noNaN: true }),
    stepsPerEpoch: fc.integer({ min: 1, max: 30 }),
  });

  it('never falls, is exactly 0 before the ramp and exactly the target after it', () => {
    fc.assert(
      fc.property(ramp, (options) => {
        const schedule = smoothedSchedule(options);
        const [first, last] = [options.start - 1, options.start - 1 + options.length].map(
          (epoch) => epoch * options.stepsPerEpoch,
        );
        let before = 0;
        for (let step = 0; step <= last! + 2; step++) {
          const value = schedule(step);
          expect(value).toBeGreaterThanOrEqual(before);
          if (step < first!) expect(value).toBe(0);
          if (step >= last!) expect(value).toBe(options.target);
          before = value;
        }
      }),
      { numRuns: 50 },
    );
  });

  it('has one slope on both sides of the middle', () => {
    const schedule = smoothedSchedule({ start: 1, length: 10, target: 1, stepsPerEpoch: 1000 });
    const slope = (step: number) => schedule(step + 1) - schedule(step);
    expect(slope(2499) / slope(2500)).toBeCloseTo(1, 2);
    expect(slope(2500)).toBeCloseTo(slope(9000), 12);
  });

  it.each([{ start: 0 }, { length: -1 }, { target: Number.NaN }, { stepsPerEpoch: 1.5 }, { mid: 2 }, { beta: 0 }])(
    'refuses %o',
    (bad) => {
      const name = Object.keys(bad)[0]!;
      expect(() => smoothedSchedule({ start: 1, length: 2, target: 0.1, stepsPerEpoch: 5, ...bad })).toThrow(
        new RegExp(`^The schedule option ${name} is`),
      );
    },
  );
});

describe('piecewiseSchedule', () => {
  it('drops in the epoch after a milestone', () => {
    const rate = piecewiseSchedule({ base: 1, milestones: [2, 3], stepsPerEpoch: 10 });
    expect([0, 19, 20, 29, 30].map(rate)).toEqual([1, 1, 0.2, 0.2, 0.2 ** 2]);
  });
});

it('constant is constant', () => {
  expect([0, 7].map(constantSchedule(0.3))).toEqual([0.3, 0.3]);
});

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosineSchedule } from './cosine.js';
import { linearSchedule } from './linear.js';
import { oneCycleSchedule } from './one-cycle.js';
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

/** A schedule of the learning rate, by PyTorch. */
interface GoldenRates {
  readonly schedule: 'cosine' | 'one-cycle';
  readonly options: {
    readonly base: number;
    readonly epochs: number;
    readonly stepsPerEpoch: number;
    readonly warmup?: number;
  };
  readonly rates: readonly number[];
}

const goldenRates = JSON.parse(
  readFileSync(new URL('../../../../golden/fixtures/learning_rates.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly GoldenRates[] };

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

describe('learning rates', () => {
  it.each(goldenRates.cases.map((c) => [`${c.schedule} ${JSON.stringify(c.options)}`, c] as const))(
    '%s are those of PyTorch',
    (_, { schedule, options, rates }) => {
      const rate = (schedule === 'cosine' ? cosineSchedule : oneCycleSchedule)(options);
      rates.forEach((wanted, step) => {
        expect(Math.abs(rate(step) - wanted), `step ${step}`).toBeLessThanOrEqual(1e-12 * wanted);
      });
    },
  );

  it('cosine grows to the peak in the warm-up, and is 0 from the end on', () => {
    const rate = cosineSchedule({ base: 1, epochs: 4, stepsPerEpoch: 3, warmup: 1 });
    expect([0, 1, 2, 3].map(rate)).toEqual([0.25, 0.5, 0.75, 1]);
    expect([12, 40].map(rate)).toEqual([0, 0]);
  });

  it('one-cycle stays finite and positive in the shortest trainings', () => {
    for (let epochs = 1; epochs <= 12; epochs++) {
      const rate = oneCycleSchedule({ base: 1, epochs, stepsPerEpoch: 1 });
      for (let step = 0; step < epochs; step++) {
        expect(rate(step)).toBeGreaterThan(0);
        expect(rate(step)).toBeLessThanOrEqual(1);
      }
    }
  });

  it.each([{ epochs: 0 }, { stepsPerEpoch: 1.5 }, { warmup: 4 }, { warmup: -1 }, { warmup: Number.NaN }])(
    'refuses %o',
    (bad) => {
      const message = new RegExp(`^The schedule option ${Object.keys(bad)[0]!} is`);
      const options = { base: 1, epochs: 4, stepsPerEpoch: 5, ...bad };
      expect(() => cosineSchedule(options)).toThrow(message);
      if (!('warmup' in bad)) expect(() => oneCycleSchedule(options)).toThrow(message);
    },
  );
});

it('constant is constant', () => {
  expect([0, 7].map(constantSchedule(0.3))).toEqual([0.3, 0.3]);
});

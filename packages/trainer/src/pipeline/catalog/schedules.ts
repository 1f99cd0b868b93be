import { fallingWeight, type Plan, type Ramp, regularizedEpochs } from '../../plan.js';
import { type CosineOptions, cosineSchedule } from '../../schedules/cosine.js';
import { linearSchedule } from '../../schedules/linear.js';
import { oneCycleSchedule } from '../../schedules/one-cycle.js';
import { type PiecewiseOptions, piecewiseSchedule } from '../../schedules/piecewise.js';
import { constantSchedule, type RampOptions, type Schedule } from '../../schedules/schedule.js';
import { smoothedSchedule } from '../../schedules/smoothed.js';
import type { Table } from './entry.js';

/** How regularizers are weighted: over the ramp of the radius, and up to which epoch. */
interface Weighting {
  /** From the weight at the beginning. */
  readonly weight: (weight: number) => Plan['regWeight'];
  readonly epochs: (ramp: Ramp) => number;
}

/** Weightings of regularizers. */
export const REG_SCHEDULES = {
  warmup: { weight: fallingWeight, epochs: regularizedEpochs },
  constant: { weight: constantSchedule, epochs: () => Number.POSITIVE_INFINITY },
} satisfies Table<Weighting>;

/** Ramps of the radius. */
export const RAMPS = { smoothed: smoothedSchedule, linear: linearSchedule } satisfies Table<
  (options: RampOptions) => Schedule
>;

/** Schedules of the learning rate. */
export const RATE_SCHEDULES = {
  steps: piecewiseSchedule,
  cosine: cosineSchedule,
  'one-cycle': oneCycleSchedule,
} satisfies Table<(options: PiecewiseOptions & CosineOptions) => Schedule>;

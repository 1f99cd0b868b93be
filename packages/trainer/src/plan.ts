import { CertError } from '@cert/core';
import type { Objective } from './objectives/objective.js';
import type { ObjectiveSchedule } from './objectives/schedule.js';
import type { Optimizer } from './optimizers/optimizer.js';
import type { Schedule } from './schedules/schedule.js';

/** Radii below this are zero: training is natural. */
const NATURAL_BELOW = 1e-50;

/** The radius at which bounds are computed for the regularizers while the schedule's own is 0. */
const SMALLEST_RADIUS = 1e-6;

/** Schedules of training: functions of the global step, and of the ramp (radius divided by target radius, from 0 to 1). */
export interface Plan {
  /** The objective over the ramp. */
  readonly objective: ObjectiveSchedule;
  /** The perturbation radius, in the units of the images. */
  readonly epsilon: Schedule;
  /** The radius at the end of the ramp. */
  readonly targetEpsilon: number;
  /** The learning rate. */
  readonly learningRate: Schedule;
  /** The weight of the regularizers over the ramp. */
  readonly regWeight: (ramp: number) => number;
  /** The first step without regularizers; 0 for no regularizers, infinity to keep them until the end. */
  readonly regularizedSteps: number;
}

/** Returns a weight that decreases from `weight` at radius 0 to 0 at the target radius, linearly in the radius. */
export const fallingWeight =
  (weight: number): Plan['regWeight'] =>
  (ramp) =>
    weight * (1 - ramp);

/** Position of a ramp, in epochs from 1. */
export interface Ramp {
  /** The epoch in whose first step the ramp starts. */
  readonly start: number;
  /** Length of the ramp in epochs. */
  readonly length: number;
}

/** Returns the number of initial epochs with regularizers: until the end of the ramp (the warmup). */
export const regularizedEpochs = ({ start, length }: Ramp): number => start + length - 1;

/** One step of a {@link Plan}. */
export interface PlannedStep {
  /** The objective. */
  readonly objective: Objective;
  /** Whether regularizers are on. */
  readonly regularized: boolean;
  /** The schedule's own radius, in the units of the images. */
  readonly epsilon: number;
  /** That radius over its target; 0 in natural epochs. */
  readonly ramp: number;
  /** The scalars that the step reads. */
  readonly hyper: { readonly [name: string]: number };
}

/**
 * What the step number `step` (from 0) does. What switches the computation is decided here, on the host; the rest enters the
 * compiled step as scalars.
 *
 * @throws CertError `bad-argument` for a radius or a learning rate that is not a finite number >= 0: without this check a radius of NaN would
 * be a natural step
 */
export function planStep(plan: Plan, optimizer: Optimizer, step: number): PlannedStep {
  const epsilon = plan.epsilon(step);
  checkScheduled('radius', epsilon, step);
  const learningRate = plan.learningRate(step);
  checkScheduled('learning rate', learningRate, step);
  const ramp = epsilon >= NATURAL_BELOW ? epsilon / plan.targetEpsilon : 0;
  const objective = plan.objective(ramp);
  const regularized = step < plan.regularizedSteps;
  const needsBall = objective.bounded || objective.choose !== undefined || regularized;
  return {
    objective,
    regularized,
    epsilon,
    ramp,
    hyper: {
      learningRate,
      ...optimizer.hyper(step),
      ...(needsBall ? { epsilon: ramp > 0 ? epsilon : SMALLEST_RADIUS, ramp } : {}),
      ...(regularized ? { regWeight: plan.regWeight(ramp) } : {}),
    },
  };
}

function checkScheduled(what: string, value: number, step: number): void {
  if (value >= 0 && Number.isFinite(value)) return;
  throw new CertError(
    'bad-argument',
    `The plan gives step ${step} the ${what} ${value}.`,
    'Correct the schedule: it must return a finite number >= 0 for every step.',
  );
}

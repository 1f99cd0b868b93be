import type { Objective } from './objectives/objective.js';
import type { ObjectiveSchedule } from './objectives/schedule.js';
import type { Optimizer } from './optimizers/optimizer.js';
import type { Schedule } from './schedules/schedule.js';

/** Radii below this are zero: training is natural. */
const NATURAL_BELOW = 1e-50;

/** The radius at which bounds are computed for the regularizers while the schedule's own is 0. */
const SMALLEST_RADIUS = 1e-6;

/** What changes over training: functions of the global step, and of the ramp (the radius over its target, from 0 to 1). */
export interface Plan {
  /** What is minimized, over the ramp. */
  readonly objective: ObjectiveSchedule;
  /** The perturbation radius, in the units of the images. */
  readonly epsilon: Schedule;
  /** The radius at the end of the ramp. */
  readonly targetEpsilon: number;
  /** The learning rate. */
  readonly learningRate: Schedule;
  /** The weight of the regularizers over the ramp. */
  readonly regWeight: (ramp: number) => number;
  /** The first step without regularizers; 0 for training without, infinity for training that keeps them to the end. */
  readonly regularizedSteps: number;
}

/** A weight of `weight` where the radius is 0 that falls to 0 in proportion as the radius grows to its target. */
export const fallingWeight =
  (weight: number): Plan['regWeight'] =>
  (ramp) =>
    weight * (1 - ramp);

/** Where a ramp lies, in epochs counted from 1. */
export interface Ramp {
  /** The epoch at whose first step it begins. */
  readonly start: number;
  /** Epochs from there to the target. */
  readonly length: number;
}

/** The number of epochs with regularizers, the first ones: all until the end of the ramp (the warmup). */
export const regularizedEpochs = ({ start, length }: Ramp): number => start + length - 1;

/** One step of a {@link Plan}. */
export interface PlannedStep {
  /** What is minimized. */
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
 */
export function planStep(plan: Plan, optimizer: Optimizer, step: number): PlannedStep {
  const epsilon = plan.epsilon(step);
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
      learningRate: plan.learningRate(step),
      ...optimizer.hyper(step),
      ...(needsBall ? { epsilon: ramp > 0 ? epsilon : SMALLEST_RADIUS, ramp } : {}),
      ...(regularized ? { regWeight: plan.regWeight(ramp) } : {}),
    },
  };
}

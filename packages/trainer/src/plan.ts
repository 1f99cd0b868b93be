import type { Optimizer } from './optimizer.js';
import type { Schedule } from './schedule.js';

/** Radii below this are zero: training is natural. */
const NATURAL_BELOW = 1e-50;

/** The radius at which bounds are computed for the regularizers while the schedule's own is 0. */
const SMALLEST_RADIUS = 1e-6;

/** What changes over training, as functions of the global step. */
export interface Plan {
  /** The perturbation radius. */
  readonly epsilon: Schedule;
  /** The radius at the end of the ramp. */
  readonly targetEpsilon: number;
  readonly learningRate: Schedule;
  /** The weight of the regularizers where the radius is 0; it falls to 0 in proportion as the radius grows to its target. */
  readonly regWeight: number;
  /** The first step without regularizers; 0 for training without. */
  readonly regularizedSteps: number;
}

/** The number of epochs with regularizers, the first ones: all until the end of the ramp (the warmup). */
export const regularizedEpochs = ({ start, length }: { readonly start: number; readonly length: number }): number =>
  start + length - 1;

/** One step of a {@link Plan}. */
export interface PlannedStep {
  /** Whether the objective is the robust one. */
  readonly robust: boolean;
  /** Whether regularizers are on. */
  readonly regularized: boolean;
  /** The schedule's own radius. */
  readonly epsilon: number;
  /** The scalars that the step reads. */
  readonly hyper: { readonly [name: string]: number };
}

/**
 * What the step number `step` (from 0) does. What switches the computation is decided here, on the host; the rest enters the
 * compiled step as scalars.
 */
export function planStep(plan: Plan, optimizer: Optimizer, step: number): PlannedStep {
  const epsilon = plan.epsilon(step);
  const robust = epsilon >= NATURAL_BELOW;
  const regularized = plan.regWeight !== 0 && step < plan.regularizedSteps;
  const ramp = robust ? epsilon / plan.targetEpsilon : 0;
  return {
    robust,
    regularized,
    epsilon,
    hyper: {
      learningRate: plan.learningRate(step),
      ...optimizer.hyper(step),
      ...(robust || regularized ? { epsilon: robust ? epsilon : SMALLEST_RADIUS } : {}),
      ...(regularized ? { regWeight: plan.regWeight * (1 - ramp) } : {}),
    },
  };
}

import { CertError } from '@cert/core';

/** A hyperparameter over training: a plain number for every global step. Steps count from 0. */
export type Schedule = (step: number) => number;

/** The same value at every step. */
export const constantSchedule =
  (value: number): Schedule =>
  () =>
    value;

/** Where a ramp from 0 to `target` lies. Epochs count from 1, steps from 0. */
export interface RampOptions {
  /** The epoch at whose first step the ramp begins; there the value is still 0. Every epoch before it is natural. */
  readonly start: number;
  /** The length of the ramp in epochs. */
  readonly length: number;
  /** The value at the end of the ramp and after it. */
  readonly target: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
}

/** Where a ramp lies that starts as a power of the step and continues as the tangent line. */
export interface SmoothedRampOptions extends RampOptions {
  /** The fraction of the ramp at which the power ends; default 0.25. */
  readonly mid?: number;
  /** The exponent; default 4. */
  readonly beta?: number;
}

/**
 * The ramp of the perturbation radius used for certified training: 0 up to and including the first step of epoch `start`, then
 * a * (s - s0)^beta up to `mid` of the way, then the straight line that continues it with the same slope to `target`.
 *
 * With q = the steps of the power part and l = those of the line, equal slopes and the end value ask for
 * a * q^beta + l * a * beta * q^(beta - 1) = target, which gives a.
 *
 * @throws CertError `bad-argument` for a ramp that is not one (start < 1, length < 0, NaN)
 */
export function smoothedSchedule(options: SmoothedRampOptions): Schedule {
  const { target, mid = 0.25, beta = 4 } = options;
  const { first, last } = rampSteps(options);
  if (!(mid >= 0 && mid <= 1)) throw badRamp('mid', mid, 'a fraction in [0, 1]');
  if (!(beta >= 1)) throw badRamp('beta', beta, 'an exponent >= 1');
  const power = Math.trunc(mid * (last - first));
  const line = last - first - power;
  const middle = first + power;
  const scale = power === 0 ? 0 : target / (power ** beta + line * beta * power ** (beta - 1));
  const middleValue = scale * power ** beta;
  return (step) => {
    if (step <= first) return last > first || step < first ? 0 : target;
    if (step >= last) return target;
    if (step < middle) return scale * (step - first) ** beta;
    return middleValue + (target - middleValue) * ((step - middle) / line);
  };
}

/**
 * A straight ramp: 0 up to the first step of epoch `start`, `target` at the end of the ramp and after it.
 *
 * @throws CertError `bad-argument` for a ramp that is not one (start < 1, length < 0, NaN)
 */
export function linearSchedule(options: RampOptions): Schedule {
  const { first, last } = rampSteps(options);
  return (step) => {
    if (step >= last) return options.target;
    return step <= first ? 0 : options.target * ((step - first) / (last - first));
  };
}

/** What {@link piecewiseSchedule} takes: a base value that is multiplied by `factor` after each milestone. */
export interface PiecewiseOptions {
  /** The value before the first milestone. */
  readonly base: number;
  /** Epochs, counted from 1; the epoch after a milestone is the first with the lower value. */
  readonly milestones: readonly number[];
  /** What it is multiplied by; default 0.2. */
  readonly factor?: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
}

/**
 * A learning rate that drops in steps: with milestone 50, epoch 51 is the first at `base * factor`.
 *
 * @throws CertError `bad-argument` when the steps of an epoch are not a positive whole number
 */
export function piecewiseSchedule({ base, milestones, factor = 0.2, stepsPerEpoch }: PiecewiseOptions): Schedule {
  checkSteps(stepsPerEpoch);
  return (step) => {
    const completed = Math.floor(step / stepsPerEpoch);
    return base * factor ** milestones.filter((milestone) => completed >= milestone).length;
  };
}

/** The last step at which a ramp is 0 and the first at which it has arrived. */
function rampSteps({ start, length, target, stepsPerEpoch }: RampOptions): { first: number; last: number } {
  checkSteps(stepsPerEpoch);
  if (!(start >= 1 && Number.isFinite(start))) throw badRamp('start', start, 'an epoch, counted from 1');
  if (!(length >= 0 && Number.isFinite(length))) throw badRamp('length', length, 'a number of epochs >= 0');
  if (!(target >= 0 && Number.isFinite(target))) throw badRamp('target', target, 'a finite number >= 0');
  const first = Math.trunc((start - 1) * stepsPerEpoch);
  return { first, last: Math.trunc((start + length - 1) * stepsPerEpoch) };
}

function checkSteps(stepsPerEpoch: number): void {
  if (!(Number.isInteger(stepsPerEpoch) && stepsPerEpoch > 0)) {
    throw badRamp('stepsPerEpoch', stepsPerEpoch, 'a positive whole number');
  }
}

const badRamp = (name: string, got: number, wanted: string) =>
  new CertError('bad-argument', `${name} of a schedule is ${got}.`, `Give ${wanted}.`);

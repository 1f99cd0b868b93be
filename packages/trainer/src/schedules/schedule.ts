import { CertError } from '@cert/core';

/** A hyperparameter over training: a number for every global step, from 0. */
export type Schedule = (step: number) => number;

/** The same value at every step. */
export const constantSchedule =
  (value: number): Schedule =>
  () =>
    value;

/** Position of a ramp from 0 to `target`. Epochs count from 1, steps from 0. */
export interface RampOptions {
  /** The epoch in whose first step the ramp starts; the value is still 0 in that step. Earlier epochs are natural. */
  readonly start: number;
  /** The length of the ramp in epochs. */
  readonly length: number;
  /** The value at the end of the ramp and after it. */
  readonly target: number;
  /** Steps in an epoch: ceil(images / batch size). */
  readonly stepsPerEpoch: number;
}

/** The last step at which a ramp is 0 and the first at which it has arrived. */
export function rampSteps({ start, length, target, stepsPerEpoch }: RampOptions): { first: number; last: number } {
  checkSteps(stepsPerEpoch);
  if (!(start >= 1 && Number.isFinite(start))) throw badRamp('start', start, 'an epoch, counted from 1');
  if (!(length >= 0 && Number.isFinite(length))) throw badRamp('length', length, 'a number of epochs >= 0');
  if (!(target >= 0 && Number.isFinite(target))) throw badRamp('target', target, 'a finite number >= 0');
  const first = Math.trunc((start - 1) * stepsPerEpoch);
  return { first, last: Math.trunc((start + length - 1) * stepsPerEpoch) };
}

/** @throws CertError `bad-argument` for steps of an epoch that are not a positive whole number */
export function checkSteps(stepsPerEpoch: number): void {
  if (!(Number.isInteger(stepsPerEpoch) && stepsPerEpoch > 0)) {
    throw badRamp('stepsPerEpoch', stepsPerEpoch, 'a positive whole number');
  }
}

/** The error for a part of a ramp that is not valid. */
export const badRamp = (name: string, got: number, wanted: string) =>
  new CertError('bad-argument', `The schedule option ${name} is ${got}.`, `Give ${wanted}.`);

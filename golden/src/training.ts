import {
  adam,
  constantSchedule,
  fallingWeight,
  naturalThen,
  type Optimizer,
  type Plan,
  regularizedEpochs,
  robustObjective,
} from '@cert/trainer';
import type { Field } from './field.js';
import { readSchedule } from './kinds/schedules.js';

/** The settings of a trajectory in terms of the trainer. */
export interface Training {
  readonly optimizer: Optimizer;
  readonly plan: Plan;
  /** Of both regularizers. */
  readonly tolerance: number;
  readonly clipNorm: number;
  /** The radius of the bounds for the regularizers while the schedule's own is 0. */
  readonly smallestRadius: number;
}

/** @throws CertError `bad-file` for an optimizer or a schedule that is not known */
export function readTraining(settings: Field): Training {
  const optimizer = settings.get('optimizer');
  if (optimizer.text() !== 'Adam') throw optimizer.wrong(`is "${optimizer.text()}"; Adam is known`);
  const [beta1, beta2] = settings.get('betas').numbers();
  const number = (name: string) => settings.get(name).number();
  const opts = settings.get('scheduler_opts');
  const stepsPerEpoch = number('epoch_length');
  return {
    optimizer: adam({ beta1: beta1!, beta2: beta2!, epsilon: number('adam_eps') }),
    plan: {
      objective: naturalThen(robustObjective()),
      epsilon: readSchedule(settings, opts, stepsPerEpoch),
      targetEpsilon: number('max_eps'),
      learningRate: constantSchedule(number('lr')),
      regWeight: fallingWeight(number('reg_lambda')),
      regularizedSteps:
        regularizedEpochs({ start: opts.get('start').number(), length: opts.get('length').number() }) * stepsPerEpoch,
    },
    tolerance: number('tol'),
    clipNorm: number('grad_norm'),
    smallestRadius: number('min_eps_reg'),
  };
}

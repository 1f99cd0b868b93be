import type { Device, DeviceFunction } from '@cert/jit';
import type { Objective } from './objectives/objective.js';
import type { PlannedStep } from './plan.js';
import { createTrainStep, type Step, type TrainStepOptions } from './step.js';

/** A training step on a device. */
type CompiledStep = DeviceFunction<Parameters<Step>, ReturnType<Step>>;

/** The steps that training switches between: one for each objective, with regularizers and without. */
export interface CompiledSteps {
  /** The step for what is planned, compiled when it is first needed. */
  of(planned: Pick<PlannedStep, 'objective' | 'regularized'>): CompiledStep;
  /** Frees all of them. */
  dispose(): Promise<void>;
}

/** {@link CompiledSteps} of a training. */
export function compiledSteps(device: Device, options: Omit<TrainStepOptions, 'objective'>): CompiledSteps {
  const made: { readonly objective: Objective; readonly regularized: boolean; readonly step: CompiledStep }[] = [];
  return {
    of({ objective, regularized }) {
      const known = made.find((one) => one.objective === objective && one.regularized === regularized);
      if (known !== undefined) return known.step;
      const regularizers = regularized ? (options.regularizers ?? []) : [];
      const step = device.jit(createTrainStep({ ...options, objective, regularizers }));
      made.push({ objective, regularized, step });
      return step;
    },
    async dispose() {
      for (const { step } of made) await step.dispose();
    },
  };
}

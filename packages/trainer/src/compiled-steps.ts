import type { Tensor } from '@cert/core';
import type { Device, DeviceFunction } from '@cert/jit';
import { type MetricsLayout, packMetrics } from './metrics.js';
import type { Objective } from './objectives/objective.js';
import type { PlannedStep } from './plan.js';
import { createTrainStep, type Step, type TrainState, type TrainStepOptions } from './step.js';

/** A training step on a device. Its metrics are one vector. */
interface CompiledStep {
  readonly run: DeviceFunction<Parameters<Step>, { readonly state: TrainState; readonly metrics: Tensor }>;
  /** What the numbers of the metrics are. Known after the first run. */
  layout(): MetricsLayout;
}

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
      const step = compiledStep(device, createTrainStep({ ...options, objective, regularizers }));
      made.push({ objective, regularized, step });
      return step;
    },
    async dispose() {
      for (const { step } of made) await step.run.dispose();
    },
  };
}

function compiledStep(device: Device, step: Step): CompiledStep {
  let layout: MetricsLayout = { counts: [], names: [] };
  const run = device.jit((...args: Parameters<Step>) => {
    const { state, metrics } = step(...args);
    const packed = packMetrics(metrics);
    layout = packed.layout;
    return { state, metrics: packed.values };
  });
  return { run, layout: () => layout };
}

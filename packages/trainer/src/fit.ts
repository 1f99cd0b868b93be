import { ibp } from '@cert/bounds';
import { type Batch, CertError } from '@cert/core';
import { type Device, type DeviceFunction, disposeTree, type OnDevice } from '@cert/jit';
import { firstNonFinite } from './diagnose.js';
import { type HostBatch, type HostState, putBatch, putScalars, putState } from './host.js';
import { addMetrics, type MetricSums, type Metrics, meanMetrics, readMetrics } from './metrics.js';
import { naturalObjective } from './objective.js';
import type { Hyper } from './optimizer.js';
import { type Plan, type PlannedStep, planStep } from './plan.js';
import { createTrainStep, type Step, type TrainState, type TrainStepOptions } from './step.js';
import { turn } from './turn.js';

/** Where training stands: enough, with the state, to go on as if it had never stopped. Plain data. */
export interface Position {
  /** Steps done. */
  readonly step: number;
  /** Sums over the steps of the epoch that is under way; empty between epochs. */
  readonly sums: MetricSums;
}

/** What {@link fit} takes. */
export interface FitOptions extends TrainStepOptions {
  readonly device: Device;
  readonly plan: Plan;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** The minibatches of an epoch (from 1), beginning with number `from` (from 0). The same arguments give the same batches. */
  batches(epoch: number, from: number): Iterable<HostBatch>;
  readonly state: HostState;
  /** Default: the beginning. */
  readonly position?: Position;
  /** When it is aborted, the step that is under way is finished and the last event is `stopped`. */
  readonly signal?: AbortSignal;
}

/** What happened. `state` lives on the device and is valid until the next event is asked for. */
export interface FitEvent {
  readonly type: 'step' | 'epoch' | 'stopped';
  readonly position: Position;
  /** The epoch, from 1, that the last step belongs to. */
  readonly epoch: number;
  /** Of the last step. */
  readonly epsilon: number;
  /** Of the last step. */
  readonly learningRate: number;
  /** Of the step for `step`; means over the epoch (so far) otherwise. */
  readonly metrics: Metrics;
  /** Images in the step. */
  readonly images: number;
  readonly state: OnDevice<TrainState>;
}

/**
 * Trains, and says what happens: an event after every step and after every epoch. Waits while an event is handled.
 *
 * @throws CertError `not-finite` with the step and the layer when a loss or a gradient is NaN or infinite; the state before that
 * step was good
 */
export async function* fit(options: FitOptions): AsyncGenerator<FitEvent, void> {
  const { device, model, plan, optimizer, epochs, stepsPerEpoch, signal } = options;
  const compiled = compiledSteps(options);
  let state = putState(device, options.state);
  let position: Position = options.position ?? { step: 0, sums: {} };
  try {
    while (position.step < epochs * stepsPerEpoch) {
      const epoch = Math.floor(position.step / stepsPerEpoch) + 1;
      const before = position.step;
      for (const host of options.batches(epoch, position.step % stepsPerEpoch)) {
        const { step } = position;
        const planned = planStep(plan, optimizer, step);
        const batch = putBatch(device, model, host);
        const hyper = putScalars(device, planned.hyper);
        const images = host.labels.length;
        const next = await compiled.of(planned)(state, batch, hyper);
        const metrics = await readMetrics(next.metrics, images);
        if (!Object.values(metrics).every(Number.isFinite)) {
          const place = await firstNonFinite(device, { method: ibp, ...options }, state.params, batch, hyper);
          disposeTree([batch, hyper, next]);
          throw notFinite(step, epoch, metrics, place);
        }
        disposeTree([state, batch, hyper, next.metrics]);
        state = next.state;
        position = { step: step + 1, sums: addMetrics(position.sums, metrics, images) };
        const { epsilon, hyper: numbers } = planned;
        const event = { epoch, epsilon, learningRate: numbers.learningRate!, images, state };
        yield { type: 'step', position, metrics, ...event };
        if (position.step % stepsPerEpoch === 0) {
          const means = meanMetrics(position.sums);
          position = { step: position.step, sums: {} };
          yield { type: 'epoch', position, metrics: means, ...event };
        }
        await turn();
        if (signal?.aborted) {
          yield { type: 'stopped', position, metrics, ...event };
          return;
        }
      }
      if (position.step === before) throw noBatches(epoch);
    }
  } finally {
    disposeTree(state);
    await compiled.dispose();
  }
}

/** The steps that training switches between, compiled when they are first needed. */
function compiledSteps(options: FitOptions): {
  of(planned: PlannedStep): DeviceFunction<Parameters<Step>, ReturnType<Step>>;
  dispose(): Promise<void>;
} {
  const { device, objective, regularizers = [] } = options;
  const made = new Map<string, DeviceFunction<[TrainState, Batch, Hyper], ReturnType<Step>>>();
  return {
    of({ robust, regularized }) {
      const key = `${robust} ${regularized}`;
      const known = made.get(key);
      if (known) return known;
      const step = device.jit(
        createTrainStep({
          ...options,
          objective: robust ? objective : naturalObjective,
          regularizers: regularized ? regularizers : [],
        }),
      );
      made.set(key, step);
      return step;
    },
    async dispose() {
      for (const step of made.values()) await step.dispose();
    },
  };
}

const noBatches = (epoch: number) =>
  new CertError(
    'bad-data',
    `Epoch ${epoch} has no batches.`,
    'Give at least one image, and the right number of steps.',
  );

function notFinite(step: number, epoch: number, metrics: Metrics, place = 'the gradient'): CertError {
  const [name, value] = Object.entries(metrics).find(([, number]) => !Number.isFinite(number))!;
  return new CertError(
    'not-finite',
    `Step ${step} (epoch ${epoch}): ${name} is ${value}. The first value that is not finite is ${place}.`,
    'Lower the learning rate or the radius, or lengthen the ramp.',
  );
}

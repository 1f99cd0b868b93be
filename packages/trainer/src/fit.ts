import { ibp } from '@cert/bounds';
import {
  CertError,
  checkInRange,
  clipToRange,
  createRng,
  type HostBatch,
  type HostTensor,
  type Shape,
  sizeOf,
  toHost,
  UNIT_BALL,
} from '@cert/core';
import { type Device, disposeTree, type OnDevice, putBatch, putScalars, turn } from '@cert/jit';
import { createAverager } from './averager.js';
import { checkFinite, DIVERGED } from './check-finite.js';
import { compiledSteps } from './compiled-steps.js';
import { firstNonFinite } from './first-non-finite.js';
import { addMetrics, type MetricSums, type Metrics, meanMetrics, readMetrics } from './metrics.js';
import { type Plan, planStep } from './plan.js';
import { checkEpochs } from './schedules/cosine.js';
import { checkSteps, type Schedule } from './schedules/schedule.js';
import { type HostState, putState } from './state.js';
import type { TrainState, TrainStepOptions } from './step.js';

/** Position of training; with the state, enough to resume bit-identically. Plain data. */
export interface Position {
  /** Steps done. */
  readonly step: number;
  /** Sums over the steps of the current epoch; empty between epochs. After the last step of an epoch, its `epoch` event is still to come. */
  readonly sums: MetricSums;
}

/** Options of {@link fit}. */
export interface FitOptions extends Omit<TrainStepOptions, 'objective'> {
  /** The compute device. */
  readonly device: Device;
  /** Schedules of training. */
  readonly plan: Plan;
  /** Total number of epochs. */
  readonly epochs: number;
  /** Batches in an epoch. */
  readonly stepsPerEpoch: number;
  /** Returns the minibatches of an epoch (from 1), starting with batch `from` (from 0). Equal arguments must give equal batches. */
  batches(epoch: number, from: number): Iterable<HostBatch> | AsyncIterable<HostBatch>;
  /** Initial state; the host arrays are copied. */
  readonly state: HostState;
  /**
   * The weight that the parameters after each step get in their average, `average` of the state: `swaSchedule`, `emaSchedule`, or
   * any schedule that is 1 where the average begins, and 0 where nothing is added. Default: no average. Training does not depend on it.
   */
  readonly average?: Schedule | undefined;
  /** Seed for random starts of objectives that choose points or a box; default 0. */
  readonly seed?: number;
  /** Position to resume from, with the matching state; default: the beginning. */
  readonly position?: Position;
  /** If aborted, the current step is finished and the last event is `stopped`. */
  readonly signal?: AbortSignal;
}

/** A training event. `state` is on the device and valid until the next event is requested. */
export interface FitEvent {
  /** After a step, after an epoch (following its last step), or when the signal stopped training. */
  readonly type: 'step' | 'epoch' | 'stopped';
  /** Position of training; with the state, the content of a checkpoint. */
  readonly position: Position;
  /** The epoch, from 1, that the last step belongs to. */
  readonly epoch: number;
  /** The radius of the last step, in the units of the images. */
  readonly epsilon: number;
  /** That of the last step. */
  readonly learningRate: number;
  /** Of the step for `step`; means over the epoch (so far) otherwise. */
  readonly metrics: Metrics;
  /** Images in the step; 0 if an earlier call took it. */
  readonly images: number;
  /** Seconds that the step waited for its batch; all steps of the epoch together otherwise, from where this call began. */
  readonly waitSeconds: number;
  /** The state after the last step. */
  readonly state: OnDevice<TrainState>;
}

/**
 * Trains a model and yields an event after every step and every epoch. Waits while the caller handles an event. One step is compiled for
 * each objective of the plan, with and without regularizers. From the position of the last step of an epoch it begins with the event of the
 * epoch.
 *
 * @throws CertError `not-finite` with step and layer if a loss or gradient, or a weight after an epoch, is NaN or infinite.
 * `bad-data` for an epoch of another number of batches than `stepsPerEpoch`, for a batch without images, for a label that is no class, and for an
 * image outside the range or with a value that is not finite; `bad-argument` for epochs or steps that are not positive whole numbers, and for a
 * schedule whose values are impossible
 */
export async function* fit(options: FitOptions): AsyncGenerator<FitEvent, void> {
  const { device, model, plan, optimizer, epochs, stepsPerEpoch, seed = 0, signal } = options;
  checkSteps(stepsPerEpoch);
  checkEpochs(epochs);
  const compiled = compiledSteps(device, options);
  const averager = createAverager(device);
  let state = putState(device, options.state);
  let position: Position = options.position ?? { step: 0, sums: {} };
  /** The end of the epoch that the last step has finished. */
  const endEpoch = (event: Omit<FitEvent, 'type' | 'position' | 'metrics'>): FitEvent => {
    const metrics = meanMetrics(position.sums);
    position = { step: position.step, sums: {} };
    return { type: 'epoch', position, metrics, ...event };
  };
  try {
    const { step: done, sums } = position;
    if (done > 0 && done % stepsPerEpoch === 0 && Object.keys(sums).length > 0) {
      const { epsilon, hyper } = planStep(plan, optimizer, done - 1);
      const learningRate = hyper.learningRate!;
      yield endEpoch({ epoch: done / stepsPerEpoch, epsilon, learningRate, images: 0, waitSeconds: 0, state });
    }
    while (position.step < epochs * stepsPerEpoch) {
      const epoch = Math.floor(position.step / stepsPerEpoch) + 1;
      const first = position.step;
      let [waited, asked] = [0, performance.now()];
      for await (const host of options.batches(epoch, position.step % stepsPerEpoch)) {
        const waitSeconds = (performance.now() - asked) / 1000;
        waited += waitSeconds;
        const { step } = position;
        if (step === epoch * stepsPerEpoch) throw tooManyBatches(epoch, stepsPerEpoch);
        const checked = checkedBatch(host, options, `Step ${step} (epoch ${epoch})`);
        const planned = planStep(plan, optimizer, step);
        const compiledStep = compiled.of(planned);
        const { choose, bounded } = planned.objective;
        const noise = planned.objective.noise?.(model) ?? model.inputShape;
        const drawn = choose && noiseOf(seed, step, [host.labels.length, ...noise]);
        const batch = putBatch(device, model, { ...checked, ...(drawn && { noise: drawn }) });
        const hyper = putScalars(device, planned.hyper);
        const images = host.labels.length;
        const { average, ...before } = state;
        const next = await compiledStep.run(before, batch, hyper);
        const metrics = await readMetrics(next.metrics, compiledStep.layout(), images);
        if (!Object.values(metrics).every(Number.isFinite)) {
          const { natural, method = ibp, perturbation = UNIT_BALL } = options;
          const used = {
            ...{ model, perturbation },
            ...(natural !== undefined && { natural }),
            ...((bounded || planned.regularized) && { method }),
          };
          const place = await firstNonFinite(device, used, state.params, batch, hyper);
          disposeTree([batch, hyper, next]);
          throw notFinite(step, epoch, metrics, place);
        }
        disposeTree([before, batch, hyper, next.metrics]);
        state = { ...next.state, ...(average && { average }) };
        // Within an epoch, the loss of the next step shows what the update did.
        if ((step + 1) % stepsPerEpoch === 0) {
          checkFinite(await toHost({ params: state.params, stats: state.stats }), `Step ${step} (epoch ${epoch})`);
        }
        const weight = options.average?.(step) ?? 0;
        if (!(weight >= 0 && weight <= 1)) throw badAverage(step, weight);
        if (weight > 0) {
          if (average === undefined && weight < 1) throw noAverage(step);
          state = { ...state, average: await averager.add(average, state.params, weight) };
        }
        position = { step: step + 1, sums: addMetrics(position.sums, metrics, images) };
        const { epsilon, hyper: numbers } = planned;
        const event = { epoch, epsilon, learningRate: numbers.learningRate!, images, state };
        yield { type: 'step', position, metrics, waitSeconds, ...event };
        if (position.step % stepsPerEpoch === 0) {
          yield endEpoch({ waitSeconds: waited, ...event });
        }
        await turn();
        if (signal?.aborted) {
          yield { type: 'stopped', position, metrics, waitSeconds: waited, ...event };
          return;
        }
        asked = performance.now();
      }
      if (position.step === first) throw tooFewBatches(epoch, first % stepsPerEpoch, stepsPerEpoch);
    }
  } finally {
    disposeTree(state);
    await averager.dispose();
    await compiled.dispose();
  }
}

/**
 * The batch, if one can train on it: a box around an image outside the range would be empty, and the loss infinite. A label that is no class would train on
 * another one: -1 reads the last class on some devices.
 */
function checkedBatch(
  batch: HostBatch,
  { model: { inputShape, classes }, perturbation: { range } = UNIT_BALL, regression }: FitOptions,
  when: string,
): HostBatch {
  const { images, labels } = batch;
  if (labels.length === 0) {
    throw new CertError('bad-data', `${when}: its batch has no images.`, 'Give batches of at least one image.');
  }
  const strange = regression === undefined ? labels.findIndex((label) => !(label >= 0 && label < classes)) : -1;
  if (strange >= 0) {
    throw new CertError(
      'bad-data',
      `${when}, in its batch: label ${strange} is ${labels[strange]}, but the model has ${classes} classes.`,
      `Give labels from 0 to ${classes - 1}.`,
    );
  }
  try {
    const beyond = checkInRange(images, range, inputShape);
    return beyond ? { ...batch, images: clipToRange(images, range, inputShape) } : batch;
  } catch (error) {
    throw error instanceof CertError
      ? new CertError(error.code, `${when}, in its batch: ${error.problem}`, error.cure, { cause: error })
      : error;
  }
}

/** Numbers uniform in [-1, 1) that depend on the seed and the step alone. */
function noiseOf(seed: number, step: number, shape: Shape): HostTensor {
  const rng = createRng(seed, 'pgd', step);
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => 2 * rng.uniform() - 1) };
}

const noAverage = (step: number) =>
  new CertError(
    'bad-argument',
    `Step ${step} adds to an average of the parameters, but the state has none.`,
    'Resume with the whole state of the event, `average` included.',
  );

const badAverage = (step: number, weight: number) =>
  new CertError(
    'bad-argument',
    `The schedule of the average gives step ${step} the weight ${weight}.`,
    'Return a number from 0 to 1 for every step, such as swaSchedule or emaSchedule.',
  );

const tooFewBatches = (epoch: number, done: number, stepsPerEpoch: number) =>
  new CertError(
    'bad-data',
    done === 0 ? `Epoch ${epoch} has no batches.` : `Epoch ${epoch} has ${done} batches instead of ${stepsPerEpoch}.`,
    'Give at least one training example, and stepsPerEpoch as the number of batches of an epoch.',
  );

const tooManyBatches = (epoch: number, stepsPerEpoch: number) =>
  new CertError(
    'bad-data',
    `Epoch ${epoch} has more than ${stepsPerEpoch} batches.`,
    'Give stepsPerEpoch as the number of batches of an epoch, and let batches(epoch, from) begin with the batch `from`.',
  );

function notFinite(step: number, epoch: number, metrics: Metrics, place = 'the gradient'): CertError {
  const [name, value] = Object.entries(metrics).find(([, number]) => !Number.isFinite(number))!;
  return new CertError(
    'not-finite',
    `Step ${step} (epoch ${epoch}): ${name} is ${value}. The first non-finite value is ${place}.`,
    DIVERGED,
  );
}

import { toHost } from '@cert/core';
import { imagesOf, subset } from '@cert/datasets';
import type { OnDevice } from '@cert/jit';
import { createReluCounter, type Evaluator } from '@cert/verify';
import { type FitEvent, fit } from '../../fit.js';
import type { HostState } from '../../state.js';
import type { TrainState } from '../../step.js';
import type { Catalog } from '../catalog/catalog.js';
import type { RunConfig } from '../config/run-config.js';
import { isBetter } from './best.js';
import type { ChosenDevice } from './choose-device.js';
import type { RunEvent } from './event.js';
import type { Experiment } from './experiment.js';
import { type Progress, runFiles, writeRunCheckpoint } from './folder.js';
import { appendMetrics } from './metrics-lines.js';
import { afterTest, NO_PACE, secondsLeft } from './time-left.js';

/** How often `metrics.jsonl` gets a line within an epoch, in steps. */
const STEPS_PER_LINE = 50;

/** How many test images, the first ones, neurons are looked at on after every epoch. */
const RELU_IMAGES = 256;

/** A run that is under way. */
export interface Run {
  readonly config: RunConfig;
  readonly catalog: Catalog;
  readonly experiment: Experiment;
  readonly chosen: ChosenDevice;
  readonly state: HostState;
  readonly progress: Progress;
}

interface Hooks {
  readonly folder: string;
  readonly emit: (event: RunEvent) => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** The training loop with everything that is written on the way; `null` when it was stopped. */
export async function train(
  run: Run,
  evaluator: Evaluator,
  { folder, emit, signal }: Hooks,
): Promise<{ readonly state: HostState; readonly progress: Progress } | null> {
  const { config, catalog, experiment, chosen } = run;
  const files = runFiles(folder);
  let { state, progress } = run;
  let saved = performance.now();
  const save = async (path: string, on: OnDevice<TrainState>) => {
    state = await toHost(on);
    await writeRunCheckpoint(path, experiment, state, progress, config, catalog);
    saved = performance.now();
  };
  const interval = 60 * (config.checkpointMinutes ?? Number.POSITIVE_INFINITY);
  const events = fit({
    ...experiment,
    clipNorm: config.clipNorm,
    device: chosen.device,
    state,
    position: progress.position,
    ...(signal && { signal }),
  });
  const neurons = createReluCounter({
    device: chosen.device,
    model: experiment.model,
    images: imagesOf(subset(experiment.test, RELU_IMAGES)).images,
    perturbation: experiment.perturbation,
    method: experiment.rules.ibp,
  });
  let [pace, started, testCompiled] = [NO_PACE, false, false];
  const left = ({ position: { step } }: FitEvent) =>
    secondsLeft(pace, {
      steps: config.epochs * experiment.stepsPerEpoch - step,
      tests: config.epochs - Math.floor(step / experiment.stepsPerEpoch),
      batchSize: config.batchSize,
      testImages: experiment.testImages,
      attackSteps: config.attackSteps * config.attackRestarts,
    });
  try {
    let before = performance.now();
    for await (const event of events) {
      // Only steps count: evaluating and writing happen in between.
      const seconds = secondsSince(before);
      const trainSeconds = progress.trainSeconds + seconds;
      const trained = progress;
      progress = { ...progress, position: event.position, trainSeconds };
      const { step } = event.position;
      if (event.type === 'stopped') {
        await save(files.last, event.state);
        await emit({ type: 'stopped', folder, step });
        return null;
      }
      if (event.type === 'step') {
        if (step % STEPS_PER_LINE === 0) await appendMetrics(folder, metricsLine(event));
        // The first step compiles: it counts while it is the only one.
        const { steps, stepSeconds } = started ? pace : NO_PACE;
        started ||= pace.steps > 0;
        pace = { ...pace, steps: steps + 1, stepSeconds: stepSeconds + seconds };
        // Behind the last step of an epoch comes the checkpoint of the epoch, once its sums are taken.
        const within = step % experiment.stepsPerEpoch !== 0;
        if (within && secondsSince(saved) >= interval) await save(files.last, event.state);
        await emit({ ...numbersOf(event), type: 'step', step, secondsLeft: left(event) });
      } else {
        const tested = performance.now();
        const test = await evaluator
          .evaluate(event.state, {
            batches: experiment.testBatches(),
            epsilon: event.epsilon,
            ...(signal && { signal }),
          })
          .catch(unlessStopped(signal));
        if (test === null) {
          // The resumed run begins with this test.
          progress = trained;
          await save(files.last, event.state);
          await emit({ type: 'stopped', folder, step });
          return null;
        }
        const better = event.epsilon === config.epsilon && isBetter(test, progress.best);
        const { verifiedError, standardError, verifiedAbsoluteError } = test;
        const absolute = verifiedAbsoluteError != null && { verifiedAbsoluteError };
        if (better) {
          progress = { ...progress, best: { epoch: event.epoch, verifiedError, standardError, ...absolute } };
        }
        const relu = await neurons.count(event.state, event.epsilon);
        await appendMetrics(folder, {
          ...metricsLine(event),
          testError: test.standardError,
          testVerifiedError: test.verifiedError,
          ...(test.absoluteError !== undefined && {
            testAbsoluteError: test.absoluteError,
            testVerifiedAbsoluteError: test.verifiedAbsoluteError,
          }),
          trainSeconds,
          waitSeconds: event.waitSeconds,
          relu,
        });
        if (better) await save(files.best, event.state);
        await save(files.last, event.state);
        pace = afterTest(pace, secondsSince(tested), !testCompiled);
        testCompiled = true;
        await emit({ ...numbersOf(event), type: 'epoch', step, test, relu, trainSeconds, secondsLeft: left(event) });
      }
      before = performance.now();
    }
  } finally {
    await neurons.dispose();
  }
  return { state, progress };
}

/** Null for an evaluation that the signal stopped. */
const unlessStopped = (signal: AbortSignal | undefined) => (error: unknown) => {
  if (signal?.aborted && error === signal.reason) return null;
  throw error;
};

const secondsSince = (start: number) => (performance.now() - start) / 1000;

const numbersOf = ({ epoch, epsilon, learningRate, metrics, images }: FitEvent) => ({
  epoch,
  epsilon,
  learningRate,
  metrics,
  images,
});

const metricsLine = ({ type, position, epoch, epsilon, learningRate, metrics }: FitEvent) => ({
  type: type === 'epoch' ? ('epoch' as const) : ('step' as const),
  step: position.step,
  epoch,
  epsilon,
  learningRate,
  ...metrics,
});

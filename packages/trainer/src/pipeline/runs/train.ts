import { toHost } from '@cert/core';
import { imagesOf, subset } from '@cert/datasets';
import type { OnDevice } from '@cert/jit';
import { createReluCounter, type Evaluator, type Weights } from '@cert/verify';
import { checkFinite } from '../../check-finite.js';
import { type FitEvent, fit } from '../../fit.js';
import type { HostState } from '../../state.js';
import type { TrainState } from '../../step.js';
import type { Catalog } from '../catalog/catalog.js';
import type { RunConfig } from '../config/run-config.js';
import { isBetter, isExhausted } from './best.js';
import type { ChosenDevice } from './choose-device.js';
import { createEvaluatedNetwork } from './evaluated-network.js';
import type { RunEvent } from './event.js';
import type { Experiment } from './experiment.js';
import { type Progress, runFiles, writeRunCheckpoint } from './folder.js';
import { appendMetrics, errorFields } from './metrics-lines.js';
import { afterTest, NO_PACE, secondsLeft } from './time-left.js';
import type { HostWeights, Trained } from './trained.js';

/** How often `metrics.jsonl` gets a line within an epoch, in steps. */
const STEPS_PER_LINE = 50;

/** How many of the images that epochs are tested on, the first ones, neurons are looked at on after every epoch. */
const RELU_IMAGES = 256;

/** A run that is under way. */
export interface Run extends Trained {
  readonly config: RunConfig;
  readonly catalog: Catalog;
  readonly experiment: Experiment;
  readonly chosen: ChosenDevice;
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
): Promise<{ readonly network: HostWeights; readonly progress: Progress } | null> {
  const { config, catalog, experiment, chosen } = run;
  const { monitored } = experiment;
  const files = runFiles(folder);
  let { network, progress } = run;
  let saved = performance.now();
  /** Within an epoch nothing is evaluated: the network is that of training. */
  const save = async (path: string, on: OnDevice<TrainState>, evaluated: OnDevice<Weights> = on) => {
    const state: HostState = await toHost(on);
    const last = progress.position.step - 1;
    // What is written is what a failed run is continued from.
    checkFinite(state, `Step ${last} (epoch ${Math.floor(last / experiment.stepsPerEpoch) + 1})`);
    network = evaluated === on ? state : await toHost(evaluated);
    await writeRunCheckpoint(path, experiment, { state, network }, progress, config, catalog);
    saved = performance.now();
  };
  /** Whether the epoch that has just ended is the last one before its time; says so. */
  const stopsEarly = async (epoch: number): Promise<boolean> => {
    const { patience, epochs } = config;
    const { best } = progress;
    if (best === null || patience === null || epoch >= epochs || !isExhausted(epoch, best, patience)) return false;
    await emit({ type: 'early-stop', epoch, epochs, patience, best });
    return true;
  };
  const { step: done, sums } = progress.position;
  const between = done % experiment.stepsPerEpoch === 0 && Object.keys(sums).length === 0;
  if (between && (await stopsEarly(done / experiment.stepsPerEpoch))) return { network, progress };
  const interval = 60 * (config.checkpointMinutes ?? Number.POSITIVE_INFINITY);
  const events = fit({
    ...experiment,
    clipNorm: config.clipNorm,
    device: chosen.device,
    state: run.state,
    position: progress.position,
    ...(signal && { signal }),
  });
  const neurons = createReluCounter({
    device: chosen.device,
    model: experiment.model,
    images: imagesOf(subset(monitored.split, RELU_IMAGES)).images,
    perturbation: experiment.perturbation,
    method: experiment.rules.ibp,
  });
  const networks = createEvaluatedNetwork({
    device: chosen.device,
    model: experiment.model,
    natural: experiment.natural,
    precise: config.preciseBatchNorm,
    batches: experiment.populationBatches,
  });
  let [pace, started, testCompiled] = [NO_PACE, false, false];
  const left = ({ position: { step } }: FitEvent) =>
    secondsLeft(pace, {
      steps: config.epochs * experiment.stepsPerEpoch - step,
      tests: config.epochs - Math.floor(step / experiment.stepsPerEpoch),
      batchSize: config.batchSize,
      testImages: monitored.split.count,
      finalImages: experiment.testImages,
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
        // Behind an epoch there is its checkpoint, with the network that was evaluated.
        if (step % experiment.stepsPerEpoch !== 0) await save(files.last, event.state);
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
        const measured = performance.now();
        const epsilon = experiment.testEpsilon(event.epsilon);
        const evaluated = await networks.of(event.state, signal).catch(unlessStopped(signal));
        const tested = performance.now();
        const test =
          evaluated &&
          (await evaluator
            .evaluate(evaluated, {
              batches: monitored.batches(),
              epsilon,
              ...(signal && { signal }),
            })
            .catch(unlessStopped(signal)));
        if (evaluated === null || test === null) {
          // The resumed run begins with this test.
          progress = trained;
          await save(files.last, event.state);
          await emit({ type: 'stopped', folder, step });
          return null;
        }
        const better = epsilon === config.epsilon && isBetter(test, progress.best);
        const { verifiedError, standardError, verifiedAbsoluteError } = test;
        const absolute = verifiedAbsoluteError != null && { verifiedAbsoluteError };
        if (better) {
          progress = { ...progress, best: { epoch: event.epoch, verifiedError, standardError, ...absolute } };
        }
        const relu = await neurons.count(evaluated, epsilon);
        await appendMetrics(folder, {
          ...metricsLine(event),
          // The errors are those at the radius of the test.
          ...{ epsilon, ...(epsilon !== event.epsilon && { trainEpsilon: event.epsilon }) },
          ...errorFields({ monitored: monitored.name, ...test }),
          trainSeconds,
          waitSeconds: event.waitSeconds,
          relu,
        });
        if (better) await save(files.best, event.state, evaluated);
        await save(files.last, event.state, evaluated);
        // Population statistics belong to the epoch: the final evaluation computes none.
        const statistics = pace.steps === 0 ? 0 : (tested - measured) / 1000;
        pace = { ...pace, stepSeconds: pace.stepSeconds + statistics };
        pace = afterTest(pace, secondsSince(tested), !testCompiled);
        testCompiled = true;
        await emit({
          ...numbersOf(event),
          ...{
            type: 'epoch',
            step,
            epsilon,
            test,
            monitored: monitored.name,
            relu,
            trainSeconds,
            secondsLeft: left(event),
          },
        });
        if (await stopsEarly(event.epoch)) break;
      }
      before = performance.now();
    }
  } finally {
    await neurons.dispose();
    await networks.dispose();
  }
  return { network, progress };
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

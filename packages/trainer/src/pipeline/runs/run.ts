import { rm } from 'node:fs/promises';
import { CertError, countParams, toHost } from '@cert/core';
import { imagesOf, subset } from '@cert/datasets';
import { disposeTree, type OnDevice, putParams } from '@cert/jit';
import { writeFileAtomic } from '@cert/models/node';
import { createEvaluator, createReluCounter, type Evaluation, type Evaluator } from '@cert/verify';
import { type FitEvent, fit } from '../../fit.js';
import type { HostState } from '../../state.js';
import type { TrainState } from '../../step.js';
import { type Catalog, standardCatalog } from '../catalog/catalog.js';
import type { RunConfig } from '../config/run-config.js';
import { isBetter } from './best.js';
import { checkOptimizerState } from './check-optimizer-state.js';
import { type ChosenDevice, chooseDevice } from './choose-device.js';
import { describeEvent } from './describe.js';
import type { RunEvent, Summary } from './event.js';
import { buildExperiment, type Experiment, loadData, startState } from './experiment.js';
import {
  appendLog,
  createRunFolder,
  discardRunFolder,
  lockRun,
  type Progress,
  readRunCheckpoint,
  readRunConfig,
  runFiles,
  writeRunCheckpoint,
  writeRunConfig,
} from './folder.js';
import { scheduleWarnings, verdict } from './health.js';
import { idleRegularizers } from './idle.js';
import { appendMetrics, cutMetrics } from './metrics-lines.js';
import { NO_PACE, secondsLeft } from './time-left.js';

/** How often `metrics.jsonl` gets a line within an epoch, in steps. */
const STEPS_PER_LINE = 50;

/** How many test images, the first ones, neurons are looked at on after every epoch. */
const RELU_IMAGES = 256;

/** What a run may be told besides what it computes. */
export interface RunOptions {
  /** The folder of the run. */
  readonly folder: string;
  /** What the names of the configuration stand for; default what is built in. With plug-ins: `withPlugins([plugin])`. */
  readonly catalog?: Catalog;
  /** Called with everything that happens, in order. */
  readonly onEvent?: (event: RunEvent) => void;
  /** When it is aborted, the step under way is finished and a checkpoint written. */
  readonly signal?: AbortSignal;
}

/**
 * Trains in a new folder: writes `config.json`, `metrics.jsonl`, `log.txt`, checkpoints (one before the first step, one each
 * epoch and every `checkpointMinutes`) and, after the final evaluation, `summary.json`.
 *
 * @returns the summary; `null` when it was stopped by the signal
 * @throws CertError `run-exists` when the folder is not empty, `not-finite` when training diverged, and those of the dataset
 * and the device, which are raised before anything is written
 */
export async function startRun(config: RunConfig, options: RunOptions): Promise<Summary | null> {
  const { catalog = standardCatalog } = options;
  const dataset = await loadData(config, decoding(options), catalog);
  const chosen = await chooseDevice(config.device);
  let unlock: (() => Promise<void>) | undefined;
  try {
    // The device is part of what replays a run: `auto` may choose another one tomorrow.
    const settled = { ...config, device: chosen.device.name };
    const experiment = buildExperiment(settled, dataset, catalog);
    const { folder } = options;
    await createRunFolder(folder);
    unlock = await lockRun(folder);
    const progress: Progress = { position: { step: 0, sums: {} }, best: null, trainSeconds: 0 };
    const state = startState(settled, experiment, catalog);
    try {
      await writeRunConfig(folder, settled);
      await writeRunCheckpoint(runFiles(folder).last, experiment.model, state, progress, settled, catalog);
    } catch (error) {
      await discardRunFolder(folder);
      throw error;
    }
    return await continueRun({ config: settled, catalog, experiment, chosen, state, progress }, options);
  } finally {
    await unlock?.();
    await chosen.device.dispose();
  }
}

/**
 * Goes on with a run from its last checkpoint; the weights become those of a run that was never stopped.
 *
 * @param options `change`: a check of the configuration before anything else, and the settings that may differ from it
 * @returns the summary; `null` when it was stopped by the signal
 * @throws CertError `bad-file` when there is no run or its checkpoint is corrupt, `in-use` when another process works on it, and those of {@link startRun}
 */
export async function resumeRun(
  options: RunOptions & { readonly change?: (config: RunConfig) => RunConfig },
): Promise<Summary | null> {
  const { folder, catalog = standardCatalog, change = (config) => config } = options;
  const config = change(await readRunConfig(folder, catalog));
  const unlock = await lockRun(folder);
  try {
    const experiment = buildExperiment(config, await loadData(config, decoding(options), catalog), catalog);
    const { last } = runFiles(folder);
    const { state, progress } = await readRunCheckpoint(last, experiment.model, config, catalog);
    checkOptimizerState(last, state, experiment.optimizer);
    const chosen = await chooseDevice(config.device);
    try {
      const damaged = await cutMetrics(folder, progress.position.step);
      if (damaged > 0) await appendLog(folder, `Damaged lines dropped from metrics.jsonl: ${damaged}.`);
      await rm(runFiles(folder).summary, { force: true });
      return await continueRun({ config, catalog, experiment, chosen, state, progress }, options);
    } finally {
      await chosen.device.dispose();
    }
  } finally {
    await unlock();
  }
}

/** Says that images are decoded, and ends that when the run is stopped. */
const decoding =
  ({ onEvent, signal }: RunOptions) =>
  (images: number, of: number) => {
    onEvent?.({ type: 'decoding', images, of });
    signal?.throwIfAborted();
  };

interface Run {
  readonly config: RunConfig;
  readonly catalog: Catalog;
  readonly experiment: Experiment;
  readonly chosen: ChosenDevice;
  readonly state: HostState;
  readonly progress: Progress;
}

async function continueRun(run: Run, { folder, onEvent, signal }: RunOptions): Promise<Summary | null> {
  const { config, experiment, chosen } = run;
  const { device } = chosen;
  const { model, method, natural, range, testImages } = experiment;
  const emit = async (event: RunEvent) => {
    onEvent?.(event);
    const line = describeEvent(event);
    if (line !== undefined) await appendLog(folder, line);
  };
  const evaluator = createEvaluator({ device, model, method, natural, range });
  try {
    await emit({
      type: 'start',
      folder,
      config,
      device: {
        name: device.name,
        description: device.description,
        reason: chosen.reason,
        ...(device.warning !== undefined && { warning: device.warning }),
      },
      parameters: countParams(model),
      trainImages: experiment.trainImages,
      testImages,
      epochs: config.epochs,
      stepsPerEpoch: experiment.stepsPerEpoch,
      step: run.progress.position.step,
    });
    const { regularizers, plan } = experiment;
    const idle = idleRegularizers(regularizers, model, config.model);
    if (idle !== undefined && run.progress.position.step < plan.regularizedSteps) {
      await emit({ type: 'warning', message: idle });
    }
    const schedule = run.progress.position.step === 0 ? scheduleWarnings(config, experiment) : [];
    for (const message of schedule) await emit({ type: 'warning', message });
    const trained = await train(run, evaluator, { folder, emit, signal });
    if (trained === null) return null;
    const started = performance.now();
    const evaluation = await onDevice(run, trained.state, (network) =>
      evaluator.evaluate(network, {
        batches: experiment.testBatches(),
        epsilon: config.epsilon,
        attack:
          config.attackRestarts === 0
            ? null
            : { steps: config.attackSteps, restarts: config.attackRestarts, seed: config.seed },
        onProgress: (images) => onEvent?.({ type: 'evaluating', images, of: testImages }),
        ...(signal && { signal }),
      }),
    );
    const evalSeconds = secondsSince(started);
    const summary = summarize(run, trained.progress, evaluation, evalSeconds);
    await writeFileAtomic(runFiles(folder).summary, `${JSON.stringify(summary, null, 2)}\n`);
    const message = verdict(config, experiment, evaluation, experiment.test);
    if (message !== undefined) await emit({ type: 'warning', message });
    await emit({ type: 'finished', folder, summary });
    return summary;
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) {
      await emit({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
      throw error;
    }
    await emit({ type: 'stopped', folder, step: config.epochs * experiment.stepsPerEpoch });
    return null;
  } finally {
    await evaluator.dispose();
  }
}

interface Hooks {
  readonly folder: string;
  readonly emit: (event: RunEvent) => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** The training loop with everything that is written on the way; `null` when it was stopped. */
async function train(
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
    await writeRunCheckpoint(path, experiment.model, state, progress, config, catalog);
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
    range: experiment.range,
    method: experiment.rules.ibp,
  });
  let pace = NO_PACE;
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
      progress = { ...progress, position: event.position, trainSeconds };
      const { step } = event.position;
      if (event.type === 'stopped') {
        await save(files.last, event.state);
        await emit({ type: 'stopped', folder, step });
        return null;
      }
      if (event.type === 'step') {
        if (step % STEPS_PER_LINE === 0) await appendMetrics(folder, metricsLine(event));
        pace = { ...pace, steps: pace.steps + 1, stepSeconds: pace.stepSeconds + seconds };
        // Behind the last step of an epoch comes the checkpoint of the epoch, once its sums are taken.
        const within = step % experiment.stepsPerEpoch !== 0;
        if (within && secondsSince(saved) >= interval) await save(files.last, event.state);
        await emit({ ...numbersOf(event), type: 'step', step, secondsLeft: left(event) });
      } else {
        const tested = performance.now();
        const test = await evaluator.evaluate(event.state, {
          batches: experiment.testBatches(),
          epsilon: event.epsilon,
        });
        const better = event.epsilon === config.epsilon && isBetter(test, progress.best);
        const { verifiedError, standardError } = test;
        if (better) progress = { ...progress, best: { epoch: event.epoch, verifiedError, standardError } };
        await appendMetrics(folder, {
          ...metricsLine(event),
          testError: test.standardError,
          testVerifiedError: test.verifiedError,
          trainSeconds,
          waitSeconds: event.waitSeconds,
          relu: await neurons.count(event.state, event.epsilon),
        });
        if (better) await save(files.best, event.state);
        await save(files.last, event.state);
        pace = { ...pace, tests: pace.tests + 1, testSeconds: pace.testSeconds + secondsSince(tested) };
        await emit({ ...numbersOf(event), type: 'epoch', step, test, trainSeconds, secondsLeft: left(event) });
      }
      before = performance.now();
    }
  } catch (error) {
    throw error instanceof CertError && error.code === 'not-finite' ? withCheckpoint(error, files.last) : error;
  } finally {
    await neurons.dispose();
  }
  return { state, progress };
}

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

/** Runs `f` on the network of a host state, and frees it. */
async function onDevice<T>(
  { chosen: { device } }: Run,
  { params, stats }: HostState,
  f: (network: { params: OnDevice<TrainState['params']>; stats: OnDevice<TrainState['stats']> }) => Promise<T>,
): Promise<T> {
  const network = { params: putParams(device, params), stats: putParams(device, stats) };
  try {
    return await f(network);
  } finally {
    disposeTree(network);
  }
}

const withCheckpoint = (error: CertError, path: string) =>
  new CertError('not-finite', error.problem, `${error.cure} The last good checkpoint is ${path}.`, { cause: error });

function summarize(
  { config, experiment, chosen: { device } }: Run,
  { best, trainSeconds }: Progress,
  evaluation: Evaluation,
  evalSeconds: number,
): Summary {
  const { preset, method, bound, dataset, model, epochs, seed } = config;
  return {
    ...{ preset, method, bound, dataset, model, epochs, seed },
    ...evaluation,
    attack: evaluation.pgdError === null ? null : { steps: config.attackSteps, restarts: config.attackRestarts },
    best,
    trainImages: experiment.trainImages,
    parameters: countParams(experiment.model),
    device: device.name,
    deviceDescription: device.description,
    trainSeconds,
    evalSeconds,
  };
}

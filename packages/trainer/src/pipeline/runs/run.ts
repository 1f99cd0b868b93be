import { rm } from 'node:fs/promises';
import { CertError, countParams } from '@cert/core';
import { disposeTree, type OnDevice, putParams } from '@cert/jit';
import { writeFileAtomic } from '@cert/models/node';
import type { Evaluation } from '@cert/verify';
import type { TrainState } from '../../step.js';
import { type Catalog, standardCatalog } from '../catalog/catalog.js';
import type { RunConfig } from '../config/run-config.js';
import { checkOptimizerState } from './check-optimizer-state.js';
import { chooseDevice, devicesWith } from './choose-device.js';
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
import { idleBatchNorm, idleRegularizers } from './idle.js';
import { cutMetrics } from './metrics-lines.js';
import { evaluatorOf } from './regression.js';
import { type Run, train } from './train.js';
import type { HostWeights } from './trained.js';
import { readWarmStart } from './warm-start.js';

/** Options of a run. */
export interface RunOptions {
  /** The folder of the run. */
  readonly folder: string;
  /** Catalog for names in the configuration; default: everything built in. With plug-ins: `withPlugins([plugin])`. */
  readonly catalog?: Catalog;
  /** Called with every event, in order. */
  readonly onEvent?: (event: RunEvent) => void;
  /** If aborted, the current step is finished and a checkpoint written. */
  readonly signal?: AbortSignal;
  /** Threads of the device `cpu`, for several runs at the same time; default one per core. Another number rounds differently. */
  readonly threads?: number;
}

/**
 * Trains in a new folder: writes `config.json`, `metrics.jsonl`, `log.txt`, checkpoints (one before the first step, one each
 * epoch and every `checkpointMinutes`) and, after the final evaluation, `summary.json`.
 *
 * @returns the summary; `null` if stopped by the signal
 * @throws CertError `run-exists` if the folder is not empty, `not-finite` if training diverged, and errors of dataset and device, which are
 * thrown before anything is written
 */
export async function startRun(config: RunConfig, options: RunOptions): Promise<Summary | null> {
  const { catalog = standardCatalog } = options;
  const dataset = await loadData(config, decoding(options), catalog);
  const chosen = await chooseDevice(config.device, devicesWith(options.threads));
  let unlock: (() => Promise<void>) | undefined;
  try {
    // The device is part of what replays a run: `auto` may choose another one tomorrow.
    const placed = { ...config, device: chosen.device.name };
    const experiment = buildExperiment(placed, dataset, catalog);
    const warm = await readWarmStart(config, experiment.model);
    const settled = { ...placed, ...(warm && { warmStartSha256: warm.sha256 }) };
    const { folder } = options;
    await createRunFolder(folder);
    unlock = await lockRun(folder);
    const progress: Progress = { position: { step: 0, sums: {} }, best: null, trainSeconds: 0 };
    const state = startState(settled, experiment, catalog, warm);
    const trained = { state, network: state };
    try {
      await writeRunConfig(folder, settled);
      await writeRunCheckpoint(runFiles(folder).last, experiment, trained, progress, settled, catalog);
    } catch (error) {
      await discardRunFolder(folder);
      throw error;
    }
    return await continueRun({ config: settled, catalog, experiment, chosen, ...trained, progress }, options);
  } finally {
    await unlock?.();
    await chosen.device.dispose();
  }
}

/**
 * Resumes a run from its last checkpoint; the final weights are bit-identical to those of an uninterrupted run.
 *
 * @param options `change`: checks the configuration first, and returns the settings that may differ
 * @returns the summary; `null` if stopped by the signal
 * @throws CertError `bad-file` if there is no run or its checkpoint is corrupt, `in-use` if another process is using the run, and the
 * errors of {@link startRun}
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
    const { progress, ...trained } = await readRunCheckpoint(last, experiment.model, config, catalog);
    checkOptimizerState(last, trained.state, experiment.optimizer);
    // The configuration of a run names the device that it began on, whoever chose it.
    const chosen = { ...(await chooseDevice(config.device, devicesWith(options.threads))), reason: 'as before' };
    try {
      const damaged = await cutMetrics(folder, progress.position.step);
      if (damaged > 0) await appendLog(folder, `Removed damaged lines from metrics.jsonl: ${damaged}.`);
      await rm(runFiles(folder).summary, { force: true });
      return await continueRun({ config, catalog, experiment, chosen, ...trained, progress }, options);
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

async function continueRun(run: Run, { folder, onEvent, signal }: RunOptions): Promise<Summary | null> {
  const { config, experiment, chosen } = run;
  const { device } = chosen;
  const { model, testImages } = experiment;
  const emit = async (event: RunEvent) => {
    onEvent?.(event);
    const line = describeEvent(event);
    if (line !== undefined) await appendLog(folder, line);
  };
  let { step } = run.progress.position;
  const evaluator = evaluatorOf(device, experiment);
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
      inputShape: model.inputShape,
      trainImages: experiment.trainImages,
      testImages,
      ...validationOf(experiment),
      epochs: config.epochs,
      stepsPerEpoch: experiment.stepsPerEpoch,
      step: run.progress.position.step,
    });
    const { regularizers, plan } = experiment;
    const idle = idleRegularizers(regularizers, model, config.model);
    if (idle !== undefined && run.progress.position.step < plan.regularizedSteps) {
      await emit({ type: 'warning', message: idle });
    }
    const precise = config.preciseBatchNorm && idleBatchNorm(model, config.model);
    if (precise) await emit({ type: 'warning', message: precise });
    const schedule = run.progress.position.step === 0 ? scheduleWarnings(config, experiment) : [];
    for (const message of schedule) await emit({ type: 'warning', message });
    const trained = await train(run, evaluator, { folder, emit, signal });
    if (trained === null) return null;
    ({ step } = trained.progress.position);
    const started = performance.now();
    const evaluation = await onDevice(run, trained.network, (network) =>
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
    const evalSeconds = (performance.now() - started) / 1000;
    const summary = summarize(run, trained.progress, evaluation, evalSeconds);
    await writeFileAtomic(runFiles(folder).summary, `${JSON.stringify(summary, null, 2)}\n`);
    const message = verdict(config, experiment, evaluation, experiment.test);
    if (message !== undefined) await emit({ type: 'warning', message });
    await emit({ type: 'finished', folder, summary });
    return summary;
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) {
      const failure = withWayOn(error, folder);
      // A full disk takes no log either: what is thrown is why the run failed.
      await emit({ type: 'failed', message: failure instanceof Error ? failure.message : String(failure) }).catch(
        () => {},
      );
      throw failure;
    }
    await emit({ type: 'stopped', folder, step });
    return null;
  } finally {
    await evaluator.dispose();
  }
}

/** The number of validation images, if there are some. */
const validationOf = ({ monitored: { name, split } }: Experiment) =>
  name === 'validation' ? { validationImages: split.count } : {};

/** Runs `f` on a network on the device, and frees it there. */
async function onDevice<T>(
  { chosen: { device } }: Run,
  { params, stats }: HostWeights,
  f: (network: { params: OnDevice<TrainState['params']>; stats: OnDevice<TrainState['stats']> }) => Promise<T>,
): Promise<T> {
  const network = { params: putParams(device, params), stats: putParams(device, stats) };
  try {
    return await f(network);
  } finally {
    disposeTree(network);
  }
}

/** An error with the way to continue the run: from its last checkpoint, which stays whole whatever happens. */
function withWayOn(error: unknown, folder: string): unknown {
  if (!(error instanceof CertError)) return error;
  const { code, problem, cure } = error;
  if (code === 'not-finite') {
    return new CertError(code, problem, `${cure} The last good checkpoint is ${runFiles(folder).last}.`, {
      cause: error,
    });
  }
  if (code !== 'bad-file') return error;
  return new CertError(code, problem, `${cure} The last checkpoint is intact. Continue with --resume ${folder}.`, {
    cause: error,
  });
}

function summarize(
  { config, experiment, chosen: { device } }: Run,
  { position, best, trainSeconds }: Progress,
  evaluation: Evaluation,
  evalSeconds: number,
): Summary {
  const { preset, method, bound, dataset, model, seed, patience } = config;
  const epochs = position.step / experiment.stepsPerEpoch;
  const stoppedEarly = patience !== null && epochs < config.epochs && { plannedEpochs: config.epochs, patience };
  return {
    ...{ preset, method, bound, dataset, model, epochs, seed },
    ...(stoppedEarly && { stoppedEarly }),
    ...evaluation,
    ...(experiment.regression && { delta: experiment.regression.delta }),
    attack: evaluation.pgdError === null ? null : { steps: config.attackSteps, restarts: config.attackRestarts },
    best,
    trainImages: experiment.trainImages,
    ...validationOf(experiment),
    parameters: countParams(experiment.model),
    inputShape: experiment.model.inputShape,
    device: device.name,
    deviceDescription: device.description,
    trainSeconds,
    evalSeconds,
  };
}

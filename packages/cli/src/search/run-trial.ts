import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { CertError } from '@cert/core';
import { loadCheckpoint } from '@cert/models/node';
import {
  type Catalog,
  epochErrorsOf,
  type MetricsLine,
  type RunConfig,
  type RunEvent,
  readMetricsLines,
  resumeRun,
  runFiles,
  runOwner,
  startRun,
} from '@cert/trainer/pipeline';
import type { Result } from './trial.js';

/** A trial up to an epoch, as a worker gets it. Plain data. */
export interface TrialJob {
  /** The run folder of the trial. */
  readonly folder: string;
  readonly config: RunConfig;
  /** The epoch after which it stops; null: train to the end, and evaluate the test images. */
  readonly epochs: number | null;
  /** Threads of the device `cpu`; default one per core. */
  readonly threads?: number;
}

/** What came of a job. Plain data. */
export type Outcome =
  /** Errors on the validation images; null after the evaluation of the test images, which `summary.json` has. */
  | { readonly type: 'done'; readonly result: Omit<Result, 'epochs'> | null }
  /** The settings of the trial do not work: it diverged, or its process died. */
  | { readonly type: 'failed'; readonly problem: string }
  /** The signal stopped it; a checkpoint is written. */
  | { readonly type: 'stopped' };

/** Errors of the settings, which fail a trial. Others, of disks, devices and packages, would fail every trial and end the search. */
const OF_THE_SETTINGS: readonly string[] = [
  ...['not-finite', 'bad-argument', 'bad-model', 'shape-mismatch', 'missing-rule', 'unsupported-kernel', 'value-read'],
];

interface Hooks {
  readonly catalog: Catalog;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

/**
 * Trains a trial up to an epoch of its schedule, from its last checkpoint where it has one. The run is an ordinary one that was stopped
 * there; test images are evaluated only if it goes to the end.
 *
 * @throws CertError of the machine: a missing package or device, a full disk
 */
export async function runTrial(job: TrialJob, { catalog, signal, onEvent }: Hooks): Promise<Outcome> {
  const { folder, config, epochs } = job;
  const reached = new AbortController();
  const options = {
    ...{ folder, catalog, signal: AbortSignal.any([signal, reached.signal]) },
    ...(job.threads !== undefined && { threads: job.threads }),
    onEvent(event: RunEvent) {
      onEvent?.(event);
      const ends = event.type === 'early-stop' || (event.type === 'epoch' && event.epoch >= (epochs ?? Infinity));
      if (epochs !== null && ends) reached.abort();
    },
  };
  try {
    await left(folder, signal);
    if (epochs === null || !(await isAt(folder, epochs))) {
      const begun = existsSync(runFiles(folder).last);
      // What was killed before its first checkpoint has nothing to continue from.
      if (!begun) await rm(folder, { recursive: true, force: true });
      const summary = begun ? await resumeRun(options) : await startRun(config, options);
      if (summary === null && !reached.signal.aborted) return { type: 'stopped' };
    }
    return { type: 'done', result: epochs === null ? null : await resultOf(folder, config, epochs) };
  } catch (error) {
    if (signal.aborted && error === signal.reason) return { type: 'stopped' };
    if (error instanceof CertError && !OF_THE_SETTINGS.includes(error.code)) throw error;
    return { type: 'failed', problem: error instanceof CertError ? error.problem : String(error) };
  }
}

/** Milliseconds to wait for a process of a search that was killed, which ends after its step; and between two looks. */
const PATIENCE = 60_000;
const LOOK = 100;

/** Waits until no process trains the trial. One that does not end is told by `resumeRun`. */
async function left(folder: string, signal: AbortSignal): Promise<void> {
  for (let waited = 0; waited < PATIENCE && (await runOwner(folder)) !== undefined; waited += LOOK) {
    await wait(LOOK, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Whether the last checkpoint is behind an epoch: the process died before it could say so. */
async function isAt(folder: string, epochs: number): Promise<boolean> {
  const line = await lastEpoch(folder);
  if (line === undefined || Number(line.epoch) < epochs) return false;
  const { metadata } = await loadCheckpoint(runFiles(folder).last);
  const { position } = (metadata ?? {}) as { readonly position?: { readonly step?: number } };
  return position?.step === line.step;
}

const lastEpoch = async (folder: string): Promise<MetricsLine | undefined> =>
  (await readMetricsLines(folder)).lines.findLast(({ type }) => type === 'epoch');

/** The errors of the last epoch. @throws CertError `not-finite` for errors that are none */
async function resultOf(folder: string, config: RunConfig, epochs: number): Promise<Omit<Result, 'epochs'>> {
  const line = await lastEpoch(folder);
  const whole = epochs < config.epochs || line?.epsilon === config.epsilon;
  const errors = line && whole ? epochErrorsOf(line) : undefined;
  const share = (value: number | undefined) => value !== undefined && value >= 0 && value <= 1;
  if (errors?.monitored === 'validation' && share(errors.standardError) && share(errors.verifiedError)) {
    const { standardError, verifiedError } = errors;
    return { standardError, verifiedError, trainSeconds: Number(line?.trainSeconds ?? 0) };
  }
  throw new CertError(
    'not-finite',
    `Epoch ${line?.epoch ?? 0} of ${config.epochs} has no errors on validation images at its radius.`,
    'Look at metrics.jsonl of the trial.',
  );
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertError, describeValue } from '@cert/core';
import type { TrialData, TrialHooks } from '@cert/queue';
import { type Catalog, checkConfig } from '@cert/trainer/pipeline';
import { loadQueue } from '../evaluate/load-queue.js';
import type { Terminal } from '../terminal.js';
import { ownVersion } from '../version.js';
import { localRunner } from './local-runner.js';
import type { TrialJob } from './run-trial.js';
import type { Runner } from './runner.js';
import { restoreRun, storeRun } from './store-run.js';

/** What trains the trials of a queue on this machine. */
export interface TrialWork {
  readonly redis: string;
  readonly store: string;
  /** Trials at the same time, which share the cores. */
  readonly concurrency: number;
  readonly lockSeconds: number;
  /** Of `--plugin`. */
  readonly plugin: readonly string[] | undefined;
  readonly catalog: Catalog;
}

/** Trains trials of the queue until the signal is aborted. @throws its reason; CertError of the machine and of Redis */
export async function trainTrials(
  { redis, concurrency, lockSeconds, plugin, ...work }: TrialWork,
  { out }: Terminal,
  quiet: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { workOnTrials } = await loadQueue();
  const runner = localRunner({ plugin }, concurrency);
  const train = (data: TrialData, hooks: TrialHooks) => trainQueued(data, { ...work, runner, ...hooks });
  const onEvent = (text: string) => void (quiet || out(text));
  try {
    await workOnTrials({ redis, concurrency, lockSeconds, train, onEvent }, signal);
  } finally {
    await runner.close();
  }
}

/**
 * Trains a trial of the queue. Nothing of it is run: names are looked up and the configuration is checked as that of `cert train`.
 *
 * @throws CertError `bad-argument` for another version of `cert`, an unknown name or a value outside its domain; of the machine
 */
async function trainQueued(
  data: TrialData,
  {
    runner,
    catalog,
    store,
    onEpoch,
    signal,
  }: Pick<TrialWork, 'catalog' | 'store'> & TrialHooks & { readonly runner: Runner },
): Promise<{ readonly result: unknown } | 'stopped'> {
  const { config, epochs, run } = checkedJob(data, catalog);
  const scratch = await mkdtemp(join(tmpdir(), 'cert-trial-'));
  const folder = join(scratch, 'run');
  const stop = () => runner.stop();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    if (run !== null) await restoreRun(folder, run, store);
    const outcome = await runner.run({ folder, config, epochs }, onEpoch);
    if (outcome.type === 'stopped') return 'stopped';
    return { result: { outcome, run: outcome.type === 'done' ? await storeRun(folder, store) : null } };
  } finally {
    signal.removeEventListener('abort', stop);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** @throws CertError `bad-argument` */
function checkedJob(data: TrialData, catalog: Catalog): Omit<TrialJob, 'folder'> & { readonly run: unknown } {
  const { version, config, epochs, run } = data;
  if (version !== ownVersion()) {
    throw new CertError(
      'bad-argument',
      `The trial was submitted by cert ${describeValue(version)}, but this is version ${ownVersion()}.`,
      'Install the same version of @cert/cli and @cert/queue on all machines.',
    );
  }
  if (epochs === null || (Number.isSafeInteger(epochs) && Number(epochs) >= 1)) {
    return {
      config: checkConfig(config, 'The trial in the queue', catalog),
      epochs: epochs === null ? null : Number(epochs),
      run,
    };
  }
  throw new CertError(
    'bad-argument',
    `The trial in the queue ends after epoch ${describeValue(epochs)}.`,
    'Start the search again.',
  );
}

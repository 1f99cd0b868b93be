import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError, type Model, parseJson } from '@cert/core';
import { assertSameModel } from '@cert/models';
import {
  appendText,
  type LockOwner,
  loadCheckpoint,
  lockFile,
  lockOwner,
  makeFolder,
  saveCheckpoint,
  writeFileAtomic,
} from '@cert/models/node';
import type { Position } from '../../fit.js';
import { type Catalog, standardCatalog } from '../catalog/catalog.js';
import { BEFORE, checkConfig, checkForm } from '../config/config.js';
import { optionsOf } from '../config/options.js';
import type { PluginRecord, RunConfig } from '../config/run-config.js';
import type { Best } from './best.js';
import type { DataFacts } from './data-facts.js';
import { restoreTrained, storeTrained, type Trained } from './trained.js';

/** What a checkpoint of a run holds besides the state. */
export interface Progress {
  readonly position: Position;
  readonly best: Best | null;
  /** Seconds spent in training steps so far. */
  readonly trainSeconds: number;
}

/** The files of a run. */
export const runFiles = (folder: string) => ({
  config: join(folder, 'config.json'),
  metrics: join(folder, 'metrics.jsonl'),
  log: join(folder, 'log.txt'),
  lock: join(folder, 'run.lock'),
  summary: join(folder, 'summary.json'),
  checkpoints: join(folder, 'checkpoints'),
  last: join(folder, 'checkpoints', 'last.safetensors'),
  best: join(folder, 'checkpoints', 'best.safetensors'),
});

/**
 * Makes the folder of a new run.
 *
 * @throws CertError `run-exists` when the folder holds anything already, `bad-file` if the folder cannot be created
 */
export async function createRunFolder(folder: string): Promise<void> {
  const found = await readdir(folder).catch((): string[] => []);
  if (found.length > 0) {
    throw new CertError(
      'run-exists',
      found.includes('config.json') ? `${folder} already contains a run.` : `The folder ${folder} is not empty.`,
      `Choose another folder with --out${found.includes('config.json') ? `, or continue the run: --resume ${folder}` : ''}.`,
    );
  }
  await makeFolder(runFiles(folder).checkpoints);
}

/** Removes what {@link createRunFolder} and a failed beginning have left, so that the same command can be given again. */
export async function discardRunFolder(folder: string): Promise<void> {
  const { config, last, log, checkpoints } = runFiles(folder);
  for (const file of [config, last, log]) await rm(file, { force: true }).catch(() => {});
  await rmdir(checkpoints).catch(() => {});
}

/** Writes the configuration of a run. */
export const writeRunConfig = (folder: string, config: RunConfig): Promise<void> =>
  writeFileAtomic(runFiles(folder).config, `${JSON.stringify(config, null, 2)}\n`);

/**
 * One process at a time works on a run. A lock whose process has ended is taken over.
 *
 * @returns gives the lock back
 * @throws CertError `in-use` naming the other process; `bad-file` when the folder cannot be written
 */
export const lockRun = (folder: string): Promise<() => Promise<void>> =>
  lockFile(runFiles(folder).lock, `The run ${folder}`);

/**
 * Returns the process that is training a run; `undefined` if none. Other processes may read the run, because files are replaced atomically.
 */
export const runOwner = (folder: string): Promise<LockOwner | undefined> => lockOwner(runFiles(folder).lock);

/**
 * Reads the configuration of a run.
 *
 * @param catalog catalog for names
 * @throws CertError `bad-file` if the file is missing or not JSON, `bad-argument` if the configuration is invalid
 */
export async function readRunConfig(folder: string, catalog: Catalog = standardCatalog): Promise<RunConfig> {
  return checkConfig(await readJson(folder), runFiles(folder).config, catalog);
}

/**
 * Returns the plug-ins that the configuration of a run names, without loading them. The configuration is checked as far as possible without
 * plug-ins.
 *
 * @returns an empty list if there is no run or no plug-in
 * @throws CertError `bad-file` if the configuration is not JSON, `bad-argument` if it is malformed
 */
export async function readRunPlugins(folder: string): Promise<readonly PluginRecord[]> {
  const { config } = runFiles(folder);
  if (!existsSync(config)) return [];
  const content = await readJson(folder);
  checkForm(content, config);
  return (content.plugins ?? []) as readonly PluginRecord[];
}

async function readJson(folder: string): Promise<unknown> {
  const { config } = runFiles(folder);
  const text = await readFile(config, 'utf8').catch(() => {
    throw new CertError('bad-file', `${folder} contains no run: ${config} is missing.`, 'Give the folder of a run.');
  });
  try {
    return parseJson(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    throw new CertError('bad-file', `${config} is not JSON: ${reason}.`, 'Restore the file, or start the run again.', {
      cause,
    });
  }
}

/** Settings of a run that may differ between two parts of it: where things are, and when they are saved. */
const MOVABLE: readonly string[] = ['data', 'device', 'plugins', 'checkpointMinutes'];

/**
 * The SHA-256, in hexadecimal, of what a configuration says, without what may change while a run lasts. A field that was not there when a run
 * was written has the value of that time, and does not count; neither does an option of a plug-in.
 */
function configHash(config: RunConfig, catalog: Catalog): string {
  const before = Object.entries(optionsOf(catalog)).map(([name, { field }]) => [name, field.before] as const);
  const usual: { readonly [name: string]: unknown } = { ...Object.fromEntries(before), ...BEFORE };
  const news = (settings: object) =>
    Object.entries(settings)
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(usual[name]))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  const { options, ...fields } = config;
  const settings = news({ ...fields, options: Object.fromEntries(news(options)) });
  return createHash('sha256')
    .update(JSON.stringify(settings.filter(([name]) => !MOVABLE.includes(name))))
    .digest('hex');
}

/**
 * Checks that a checkpoint belongs to the configuration of its run. Checkpoints of older versions, without this record, pass.
 *
 * @param metadata that of the checkpoint
 * @param catalog with the plug-ins of the run
 * @throws CertError `bad-file` if the configuration has changed
 */
export function checkConfigOf(
  path: string,
  metadata: unknown,
  config: RunConfig,
  catalog: Catalog = standardCatalog,
): void {
  const { config: recorded } = (metadata ?? {}) as { readonly config?: unknown };
  if (recorded === undefined || recorded === configHash(config, catalog)) return;
  throw new CertError(
    'bad-file',
    `The configuration in the checkpoint ${path} differs from the config.json of its run.`,
    'Restore config.json, or copy the checkpoint to another folder and give all settings as options.',
  );
}

const jsonOf = ({ range, classNames, rows }: DataFacts) => ({
  range: range && { ...range },
  ...(classNames && { classNames: [...classNames] }),
  ...(rows && { rows: { ...rows, target: rows.target && { ...rows.target } } }),
});

/** Writes a checkpoint with the network, the state of training and where training stands. The old file stays until the new one is whole. */
export async function writeRunCheckpoint(
  path: string,
  { model, facts }: { readonly model: Model; readonly facts: DataFacts | null },
  trained: Trained,
  progress: Progress,
  config: RunConfig,
  catalog: Catalog,
): Promise<void> {
  const { position, best, trainSeconds } = progress;
  const metadata = {
    ...(facts && { data: jsonOf(facts) }),
    position: { step: position.step, sums: position.sums },
    best: best && { ...best },
    trainSeconds,
    config: configHash(config, catalog),
  };
  await saveCheckpoint(path, { model, ...storeTrained(trained), metadata });
}

/**
 * Reads a checkpoint of a run.
 *
 * @param model the one that the run's configuration gives
 * @param config that configuration
 * @param catalog with the plug-ins of the run
 * @throws CertError `bad-file` when it is missing or corrupt or was trained with another configuration, `shape-mismatch` when it is one of another model
 */
export async function readRunCheckpoint(
  path: string,
  model: Model,
  config: RunConfig,
  catalog: Catalog,
): Promise<Trained & { readonly progress: Progress }> {
  const checkpoint = await loadCheckpoint(path);
  assertSameModel(checkpoint.model, model, [path, "the run's configuration"]);
  const { metadata } = checkpoint;
  checkConfigOf(path, metadata, config, catalog);
  if (!isProgress(metadata)) {
    throw new CertError(
      'bad-file',
      `${path} does not record how far training got.`,
      'Resume from a checkpoint written by cert train.',
    );
  }
  return { ...restoreTrained(path, checkpoint), progress: metadata };
}

const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least;

function isProgress(metadata: unknown): metadata is Progress {
  const { position, best, trainSeconds } = (metadata ?? {}) as Partial<Progress>;
  if (!isCount(position?.step, 0) || !Number.isFinite(trainSeconds) || !isBest(best)) return false;
  const sums: unknown = position?.sums;
  if (typeof sums !== 'object' || sums === null || Array.isArray(sums)) return false;
  return Object.values(sums).every((item: Partial<Position['sums'][string]> | null) => {
    return Number.isFinite(item?.sum) && isCount(item?.images, 1);
  });
}

/** Runs from before it was kept have no `best`, or no standard error in it. */
function isBest(best: Best | null | undefined): boolean {
  if (best === null || best === undefined) return true;
  const { epoch, verifiedError, standardError = 0 } = best;
  return isCount(epoch, 1) && Number.isFinite(verifiedError) && Number.isFinite(standardError);
}

/** Adds a line to `log.txt`. @throws CertError `bad-file` when it cannot be written */
export const appendLog = (folder: string, line: string): Promise<void> => appendText(runFiles(folder).log, `${line}\n`);

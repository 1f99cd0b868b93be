import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import {
  type Catalog,
  type RunConfig,
  readRunConfig,
  readRunPlugins,
  resolveConfig,
  runFiles,
} from '@cert/trainer/pipeline';
import type { RecordedPlugins } from '../commands/plugin-option.js';
import { isLayersModel } from '../verify/layers-model.js';
import { isImported } from '../verify/network.js';
import { type TrainedFor, trainedFor } from './checkpoint-facts.js';

/** The folder of the run that a checkpoint file is in, if it is in one. */
const runOfFile = (path: string) => dirname(dirname(path));

/** The plug-ins of the run that a path stands for; none where it stands for none. */
export async function recordedPlugins(path: string): Promise<RecordedPlugins> {
  const info = await stat(path).catch(() => undefined);
  const folder = info?.isFile() ? runOfFile(path) : path;
  return { folder, plugins: await readRunPlugins(folder) };
}

/** A checkpoint file and what it belongs to. */
export interface LocatedCheckpoint {
  readonly file: string;
  /** The folder of its run, or its folder. */
  readonly folder: string;
  /** The configuration that it was trained with; without a run the standard one, with what the file says. */
  readonly config: RunConfig;
  /** Whether it is the checkpoint of a run. */
  readonly ofRun: boolean;
  /** What a file without a run says about its training. */
  readonly says: TrainedFor;
}

/**
 * Finds the checkpoint file that a path stands for.
 *
 * @param name which checkpoint of a run
 * @throws CertError `bad-file` for a path that does not exist, a folder without a run, and a file that is no checkpoint
 */
export async function locateCheckpoint(
  path: string,
  name: 'last' | 'best',
  catalog: Catalog,
): Promise<LocatedCheckpoint> {
  const info = await stat(path).catch(() => {
    throw new CertError('bad-file', `There is no ${path}.`, 'Give the folder of a run, or a checkpoint file.');
  });
  const inRun = async (file: string, folder: string): Promise<LocatedCheckpoint> => {
    return { file, folder, config: await readRunConfig(folder, catalog), ofRun: true, says: {} };
  };
  if (info.isDirectory()) return inRun(runFiles(path)[name], path);
  const run = runOfFile(path);
  const hasRun = !isLayersModel(path) && (await stat(runFiles(run).config).catch(() => undefined)) !== undefined;
  if (hasRun) return inRun(path, run);
  const says = isImported(path) ? {} : trainedFor(await readCheckpointFile(path), path, catalog);
  return { file: path, folder: dirname(path), config: { ...resolveConfig({}, catalog), ...says }, ofRun: false, says };
}

/** @throws CertError `bad-file` for a file that cannot be read */
export async function readCheckpointFile(file: string): Promise<Uint8Array> {
  return readFile(file).catch((cause) => {
    throw new CertError(
      'bad-file',
      `${file} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
      'Give the folder of a run, or a checkpoint file.',
      { cause },
    );
  });
}

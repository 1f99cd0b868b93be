import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import { type Catalog, readRunConfig, readRunPlugins, resolveConfig, runFiles } from '@cert/trainer/pipeline';
import type { RecordedPlugins } from '../commands/plugin-option.js';
import { isLayersModel } from '../verify/layers-model.js';

/** The folder of the run that a checkpoint file is in, if it is in one. */
const runOfFile = (path: string) => dirname(dirname(path));

/** The plug-ins of the run that a path stands for; none where it stands for none. */
export async function recordedPlugins(path: string): Promise<RecordedPlugins> {
  const info = await stat(path).catch(() => undefined);
  const folder = info?.isFile() ? runOfFile(path) : path;
  return { folder, plugins: await readRunPlugins(folder) };
}

/**
 * The checkpoint file that a path stands for, the folder of its run, and the configuration that it was trained with (the standard one if
 * unknown).
 *
 * @param name which checkpoint of a run
 * @throws CertError `bad-file` for a path that does not exist and for a folder without a run
 */
export async function locateCheckpoint(path: string, name: 'last' | 'best', catalog: Catalog) {
  const info = await stat(path).catch(() => {
    throw new CertError('bad-file', `There is no ${path}.`, 'Give the folder of a run, or a checkpoint file.');
  });
  if (info.isDirectory()) {
    return { file: runFiles(path)[name], folder: path, config: await readRunConfig(path, catalog), ofRun: true };
  }
  const run = runOfFile(path);
  const inRun = isLayersModel(path) ? undefined : await stat(runFiles(run).config).catch(() => undefined);
  return inRun
    ? { file: path, folder: run, config: await readRunConfig(run, catalog), ofRun: true }
    : { file: path, folder: dirname(path), config: resolveConfig({}, catalog), ofRun: false };
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

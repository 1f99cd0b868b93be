import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CertError } from '@cert/core';
import type { Device } from '@cert/jit';
import { decodeCheckpoint, type JsonValue } from '@cert/models';
import {
  type Catalog,
  checkConfigOf,
  type RowFacts,
  type RunConfig,
  readDataFacts,
  runFiles,
} from '@cert/trainer/pipeline';
import type { HostNetwork } from '@cert/verify';
import { locateCheckpoint, readCheckpointFile } from '../runs/locate-checkpoint.js';
import { loadNetwork } from '../verify/network.js';
import { dataFacts, type Facts, fileFacts, trainingFacts } from './facts.js';

/** A network to export. */
export interface ExportSource {
  /** The file that it was read from. */
  readonly path: string;
  readonly network: HostNetwork;
  /** What is known about it. */
  readonly facts: Facts;
  /** What the inputs of a network on rows mean; undefined for images, and where it is not known. */
  readonly rows: RowFacts | undefined;
  /** Metadata of the checkpoint; null for other files. */
  readonly metadata: JsonValue;
  /** The configuration of its run; undefined for a network without one. */
  readonly config: RunConfig | undefined;
  /** What the reader changed, for people. */
  readonly notes: readonly string[];
  /** Where it is exported to if nothing else is asked for, without the end of the name. */
  readonly target: string;
}

/** Whether a path stands for an ONNX file. */
const isOnnxPath = (path: string): boolean => /\.onnx(\.gz)?$/i.test(path);

/**
 * Reads a checkpoint of a run, a checkpoint file, or an ONNX file.
 *
 * @throws CertError `bad-file` when there is no such file, or it is damaged or of another configuration than its run
 */
export async function readSource(
  path: string,
  which: 'last' | 'best' | undefined,
  device: Device,
  catalog: Catalog,
): Promise<ExportSource> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  if (which !== undefined && !isFolder) {
    throw new CertError(
      'bad-argument',
      `--checkpoint was given, but ${path} is not the folder of a run.`,
      'Leave it out, or give the folder of a run.',
    );
  }
  const target = basename(path).replace(/(\.onnx(\.gz)?|(\.cert)?\.safetensors)$/i, '');
  if (!isFolder && isOnnxPath(path)) {
    const { network, notes, source, independent } = await loadNetwork(path, device);
    await independent?.dispose();
    const facts = fileFacts(source.bytes);
    return { path, network, notes, facts, rows: undefined, metadata: null, config: undefined, target };
  }
  const { file, folder, config, ofRun } = await locateCheckpoint(path, which ?? 'last', catalog);
  const bytes = await readCheckpointFile(file);
  const { model, params, stats, metadata, checksum } = decodeCheckpoint(bytes, file);
  const notes = checksum === 'absent' ? [`${file} has no checksum: damage cannot be detected.`] : [];
  const data = readDataFacts(metadata, model);
  const source = { path: file, network: { model, params, stats }, rows: data?.rows, metadata: metadata ?? null, notes };
  const known = { ...fileFacts(bytes), ...dataFacts(data) };
  if (!ofRun) return { ...source, facts: known, config: undefined, target };
  checkConfigOf(file, metadata, config, catalog);
  const { last, best } = runFiles(folder);
  const own = basename(file) === basename(last) ? 'last' : basename(file) === basename(best) ? 'best' : undefined;
  const facts = { ...known, ...(await trainingFacts(folder, config, { which: own, metadata })) };
  return { ...source, facts, config, target: join(folder, 'export', basename(file, '.safetensors')) };
}

import type { HostParams, Model } from '@cert/core';
import { decodeCheckpoint } from '@cert/models';
import {
  type Catalog,
  checkConfigOf,
  type DataFacts,
  type RunConfig,
  readDataFacts,
  readRunConfig,
  runFiles,
} from '@cert/trainer/pipeline';
import { readBytes } from '../verify/network.js';

/** A network of a run, and what it was trained with. */
export interface TrainedNetwork {
  readonly folder: string;
  readonly config: RunConfig;
  readonly checkpoint: string;
  readonly model: Model;
  readonly params: HostParams;
  readonly stats: HostParams;
  /** What the checkpoint knows of the dataset; undefined for one of an older version. */
  readonly facts: DataFacts | undefined;
}

/**
 * Reads a checkpoint of a run.
 *
 * @throws CertError `bad-file` when there is no run or the checkpoint is missing, damaged or of another configuration
 */
export async function readTrained(folder: string, which: 'last' | 'best', catalog: Catalog): Promise<TrainedNetwork> {
  const config = await readRunConfig(folder, catalog);
  const checkpoint = runFiles(folder)[which];
  const { model, params, stats, metadata } = decodeCheckpoint(await readBytes(checkpoint), checkpoint);
  checkConfigOf(checkpoint, metadata, config, catalog);
  return { folder, config, checkpoint, model, params, stats, facts: readDataFacts(metadata, model.classes) };
}

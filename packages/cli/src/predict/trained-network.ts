import { CertError, type HostParams, type Model } from '@cert/core';
import { eagerDevice } from '@cert/jit';
import { decodeCheckpoint } from '@cert/models';
import {
  type Catalog,
  type Choices,
  checkConfigOf,
  type DataFacts,
  type RunConfig,
  readDataFacts,
  refuseUnused,
} from '@cert/trainer/pipeline';
import { type FieldFilter, named, optionsOfEvery } from '../commands/options.js';
import { dataFactsOf, type TrainedFor } from '../runs/checkpoint-facts.js';
import { locateCheckpoint } from '../runs/locate-checkpoint.js';
import { isImported, loadNetwork, readBytes } from '../verify/network.js';

/** A network to predict with, and what is known of its data. */
export interface PredictingNetwork {
  readonly config: RunConfig;
  /** The file that it was read from. */
  readonly checkpoint: string;
  readonly model: Model;
  readonly params: HostParams;
  readonly stats: HostParams;
  /** What the checkpoint knows of the dataset; undefined for an imported network and for a checkpoint of an older version. */
  readonly facts: DataFacts | undefined;
  /** Whether its run or its file says with which dataset and radius the network was trained. */
  readonly says: { readonly dataset: boolean; readonly epsilon: boolean };
  /** What the reader changed, for people. */
  readonly notes: readonly string[];
}

/** Settings of the data that a prediction may change: the dataset and its options. */
export const ofTheData: FieldFilter = (name, field) =>
  named('dataset')(name, field) || optionsOfEvery('dataset')(name, field);

/**
 * Reads a checkpoint of a run, a checkpoint file, an ONNX file or a TensorFlow.js model.
 *
 * @param given dataset and options of it that were given; those of the run otherwise
 * @throws CertError `bad-file` when there is no such file, or it is damaged or of another configuration than its run; `bad-argument` for an
 * option of another dataset
 */
export async function readPredicting(
  path: string,
  which: 'last' | 'best',
  given: Choices,
  catalog: Catalog,
): Promise<PredictingNetwork> {
  const located = await locateCheckpoint(path, which, catalog);
  const ofRun = located.ofRun && !isImported(path);
  const { dataset = located.config.dataset } = given;
  const options = { ...located.config.options, ...given.options };
  const config = { ...located.config, ...given, dataset, options } as RunConfig;
  refuseUnused([...Object.keys(given), ...Object.keys(given.options ?? {})], config, catalog);
  if (ofRun) {
    const { file } = located;
    const { model, params, stats, metadata } = decodeCheckpoint(await readBytes(file), file);
    checkConfigOf(file, metadata, located.config, catalog);
    const facts = dataset === located.config.dataset ? readDataFacts(metadata, model) : undefined;
    return { config, checkpoint: file, model, params, stats, facts, says: { dataset: true, epsilon: true }, notes: [] };
  }
  const device = eagerDevice();
  try {
    const { network, independent, notes, source } = await loadNetwork(path, device, { logits: true });
    await independent?.dispose();
    const own = { ...config, limit: null, perturbation: null, delta: null };
    // What a checkpoint says is about its dataset alone.
    const says: TrainedFor = given.dataset === undefined ? located.says : {};
    return {
      ...{ config: own, checkpoint: source.path, ...network, notes },
      facts: given.dataset === undefined ? dataFactsOf({ network, source }) : undefined,
      says: { dataset: says.dataset !== undefined, epsilon: says.epsilon !== undefined },
    };
  } finally {
    await device.dispose();
  }
}

/** @throws CertError `bad-argument` for a network of which neither a run nor the file says dataset and radius, where they were not given */
export function checkGiven(
  path: string,
  { says }: Pick<PredictingNetwork, 'says'>,
  { dataset, epsilon }: { readonly [name: string]: string | undefined },
): void {
  if ((says.dataset || dataset !== undefined) && (says.epsilon || epsilon !== undefined)) return;
  throw new CertError(
    'bad-argument',
    `${path} is not part of a run, which would say the dataset and the radius.`,
    'Give --dataset NAME and --epsilon RADIUS.',
  );
}

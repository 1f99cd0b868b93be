import { createHash } from 'node:crypto';
import { type Arithmetic, soundIbp } from '@cert/bounds';
import type { Model } from '@cert/core';
import type { decodeCheckpoint } from '@cert/models';
import {
  type Catalog,
  checkDataFits,
  evaluatedAs,
  loadTestData,
  perturbationOf,
  type RunConfig,
  searchVerifiers,
  toleranceOf,
} from '@cert/trainer/pipeline';
import type { EvaluatorOptions } from '@cert/verify/node';
import { ATTACKS } from '../commands/attacks.js';

/** What is evaluated, and how: names and numbers. */
export interface EvaluationSetup {
  /** The dataset with its options, the radius, the batch size, the seed. */
  readonly config: RunConfig;
  /** The methods, in the order in which they are tried. */
  readonly methods: readonly string[];
  /** A name of {@link ATTACKS}. */
  readonly attack: string;
  /** What is claimed. */
  readonly arithmetic: Arithmetic;
  /** Whether every method is run on every image. */
  readonly complete: boolean;
  /** Seconds for each image; only where a method searches. */
  readonly timeout?: number;
}

/**
 * Looks up what a setup names, and loads the test images.
 *
 * @param network the bytes of its file, and what they hold
 * @param onDecoded called after each decoded image with the number of decoded images and the total
 * @throws CertError of the dataset, and `shape-mismatch` if the network does not fit it
 */
export async function prepareEvaluation(
  { config, methods, attack: attackName, arithmetic, complete, timeout }: EvaluationSetup,
  network: { readonly bytes: Uint8Array; readonly decoded: ReturnType<typeof decodeCheckpoint> },
  catalog: Catalog,
  onDecoded?: (images: number, of: number) => void,
): Promise<Omit<EvaluatorOptions, 'device'>> {
  const { epsilon } = config;
  const { attack, attacks } = ATTACKS[attackName]!.of(config);
  const searches = searchVerifiers({ ...(timeout !== undefined && { timeout }), rules: catalog.rules });
  const { params, stats, ...trained } = network.decoded;
  const data = await loadTestData(config, onDecoded, catalog);
  checkDataFits(trained.model, data.test, config.dataset);
  const delta = toleranceOf(config, data);
  const perturbation = perturbationOf({ ...config, epsilon }, { ...data, shape: data.test.shape });
  const { test, ...evaluated } = evaluatedAs({ model: trained.model, perturbation, test: data.test }, delta);
  return {
    ...{ ...evaluated, params: { ...params, ...evaluated.params }, stats, split: test },
    ...{ attacks, batchSize: config.evalBatchSize },
    verifiers: methods.map((name) => searches[name] ?? catalog.verifiers[name]!),
    natural: catalog.rules.natural,
    settings: {
      checkpoint: createHash('sha256').update(network.bytes).digest('hex'),
      ...{ dataset: config.dataset, epsilon, methods, complete, arithmetic },
      ...(delta !== null && { delta }),
      ...(timeout !== undefined && { timeout }),
      attack,
    },
  };
}

/** What keeps images from being verified with rounding accounted for: ops of the model, methods. For people. */
export function unsoundParts(
  model: Model,
  { methods, arithmetic }: EvaluationSetup,
  { verifiers }: Catalog,
): readonly string[] {
  if (arithmetic === 'nearest') return [];
  const { rules } = soundIbp({ level: 'deployed' });
  const ops = [...new Set(model.nodes.map(({ op }) => op))].filter((op) => rules[op] === undefined);
  if (ops.length > 0) return ops.map((op) => `The op "${op}" of this model`);
  return methods
    .filter((name) => verifiers[name]!.soundOn === undefined && verifiers[name]!.searchOn === undefined)
    .map((name) => `The method "${name}"`);
}

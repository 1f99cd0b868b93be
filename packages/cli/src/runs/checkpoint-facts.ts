import type { Model } from '@cert/core';
import { decodeCheckpoint } from '@cert/models';
import { type Catalog, type DataFacts, type RunConfig, readDataFacts } from '@cert/trainer/pipeline';
import { readRadius } from '../verify/read-number.js';

/** What an exported checkpoint was trained for, as far as it says. */
export type TrainedFor = Partial<Pick<RunConfig, 'dataset' | 'epsilon'>>;

/**
 * Returns what a checkpoint says it was trained for: a dataset that the catalog knows, and a radius.
 *
 * @throws CertError `bad-file` for bytes that are no checkpoint, `bad-argument` for a radius that is none
 */
export function trainedFor(bytes: Uint8Array, path: string, { datasets }: Pick<Catalog, 'datasets'>): TrainedFor {
  const { metadata } = decodeCheckpoint(bytes, path);
  const facts = new Map<string, unknown>(Object.entries(metadata ?? {}));
  const [dataset, epsilon] = [facts.get('cert.dataset'), facts.get('cert.epsilon')];
  return {
    ...(typeof dataset === 'string' && Object.hasOwn(datasets, dataset) && { dataset }),
    ...(typeof epsilon === 'string' && { epsilon: readRadius('The radius in the checkpoint', epsilon) }),
  };
}

/** A file of a network, and its model. */
interface NetworkFile {
  readonly source: { readonly path: string; readonly bytes: Uint8Array; readonly format: string };
  readonly network: { readonly model: Model };
}

/** What the checkpoint of a network knows of its data; undefined for other files. */
export function dataFactsOf({ source: { bytes, path, format }, network }: NetworkFile): DataFacts | undefined {
  return format === 'checkpoint' ? readDataFacts(decodeCheckpoint(bytes, path).metadata, network.model) : undefined;
}

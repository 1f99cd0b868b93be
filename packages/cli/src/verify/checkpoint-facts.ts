import { decodeCheckpoint } from '@cert/models';
import { type DataFacts, readDataFacts } from '@cert/trainer/pipeline';
import type { VerifiedNetwork } from './network.js';

/** What a checkpoint says about itself, whoever wrote it. */
export interface CheckpointFacts {
  /** Range, classes and features of its data. */
  readonly data?: DataFacts | undefined;
  /** Name of the dataset that an exported checkpoint was trained on. */
  readonly dataset?: string | undefined;
  /** Radius that it was trained for, as text. */
  readonly epsilon?: string | undefined;
}

/** Returns what a network's file says about itself, if it is a checkpoint: nothing else is known of other files. */
export function checkpointFacts({ source, network }: Pick<VerifiedNetwork, 'source' | 'network'>): CheckpointFacts {
  if (source.format !== 'checkpoint') return {};
  const { metadata } = decodeCheckpoint(source.bytes, source.path);
  const text = (key: string): string | undefined => {
    const value: unknown = Object.entries(metadata ?? {}).find(([name]) => name === key)?.[1];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    data: readDataFacts(metadata, network.model),
    dataset: text('cert.dataset'),
    epsilon: text('cert.epsilon'),
  };
}

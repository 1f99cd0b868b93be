import { CertError, describeValue } from '@cert/core';
import { readMetricsLines, runFiles } from '@cert/trainer/pipeline';
import type { ReluStates } from '@cert/verify';
import { resumeHint } from '../called-as.js';
import { formatTable, type TableFormat } from './format-table.js';

/** The neurons after one epoch. Plain data. */
export interface ReluEpoch extends ReluStates {
  readonly epoch: number;
  /** The radius that they were looked at with. */
  readonly epsilon: number;
}

/**
 * What a run wrote about its neurons, epoch by epoch.
 *
 * @returns the epochs, and how many lines of the file are damaged and left out
 * @throws CertError `bad-file` when no epoch is done, none has the neurons, or two have those of other layers
 */
export async function readReluEpochs(
  folder: string,
): Promise<{ readonly epochs: readonly ReluEpoch[]; readonly damaged: number }> {
  const { metrics } = runFiles(folder);
  const { lines, damaged } = await readMetricsLines(folder);
  const epochs = lines.filter(({ type }) => type === 'epoch');
  if (epochs.length === 0) {
    throw new CertError(
      'bad-file',
      `${folder} has no finished epoch: ${metrics} lists none.`,
      `Train for at least one epoch. ${resumeHint(folder)}`,
    );
  }
  const found = epochs.flatMap(({ epoch, epsilon, relu }) =>
    relu === undefined ? [] : [{ epoch: Number(epoch), epsilon: Number(epsilon), ...relu }],
  );
  if (found.length === 0) {
    throw new CertError(
      'bad-file',
      `${metrics} has no neuron counts: an older version of cert wrote the run.`,
      'Train again with this version: cert train counts neurons after every epoch.',
    );
  }
  const layersOf = ({ layers }: ReluEpoch) => describeValue(Object.keys(layers));
  const other = found.find((epoch) => layersOf(epoch) !== layersOf(found[0]!));
  if (other !== undefined) {
    throw new CertError(
      'bad-file',
      `${metrics} has the layers ${layersOf(found[0]!)} in epoch ${found[0]!.epoch} and ${layersOf(other)} in epoch ${other.epoch}.`,
      'Restore the file: all epochs of a run have the same layers.',
    );
  }
  return { epochs: found, damaged };
}

/** Lines of the table at most. */
const LINES = 20;

/**
 * The shares as a table, a line for an epoch and a column for a layer: active / unstable / inactive, in per cent. Of many epochs
 * only some have a line, evenly spread, the first and the last among them.
 */
export function formatReluEpochs(epochs: readonly ReluEpoch[], format: TableFormat = {}): string {
  const nodes = Object.keys(epochs[0]!.layers);
  const lines = Math.min(LINES, epochs.length);
  const shown = Array.from(
    { length: lines },
    (_, i) => epochs[lines === 1 ? 0 : Math.round((i * (epochs.length - 1)) / (lines - 1))]!,
  );
  const percent = (share: number) => (100 * share).toFixed(1);
  const cell = ({ layers }: ReluEpoch, node: string) => {
    const { active, unstable, inactive } = layers[node]!;
    return [active, unstable, inactive].map(percent).join('/');
  };
  const rows = shown.map((epoch) => [
    String(epoch.epoch),
    epoch.epsilon.toPrecision(3),
    ...nodes.map((node) => cell(epoch, node)),
  ]);
  return formatTable([['epoch', 'epsilon', ...nodes], ...rows], { keys: 2, ...format });
}

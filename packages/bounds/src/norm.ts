import { type BatchNormStats, type Model, type Stats, sizeOf, type Tensor, tf } from '@cert/core';

/**
 * Returns the running statistics of a model in the type that bound methods take (evaluation): the same tensors, unchecked (see
 * `checkParams`).
 */
export const runningNorm = (stats: Stats): BatchNormStats =>
  stats as { [node: string]: { mean: Tensor; variance: Tensor } };

/**
 * Returns the running statistics after one training step: (1 - momentum) * old + momentum * batch, with the unbiased variance.
 *
 * @param norm the batch's moments with the biased variance, from a natural pass over `batch` images
 * @param batch number of images in the batch
 * @returns new tensors, only for batchNorm nodes
 */
export function updateRunning(model: Model, stats: Stats, norm: BatchNormStats, batch: number): Stats {
  const updated: { [node: string]: { mean: Tensor; variance: Tensor } } = {};
  for (const node of model.nodes) {
    if (node.op !== 'batchNorm') continue;
    const { momentum } = node.attrs;
    const { mean, variance } = norm[node.name]!;
    const old = stats[node.name]!;
    const count = batch * sizeOf(node.shape.slice(0, -1));
    const blend = (before: Tensor, now: Tensor, weight: number) =>
      tf.add(tf.mul(before, 1 - momentum), tf.mul(now, weight));
    updated[node.name] = {
      mean: blend(old.mean!, mean, momentum),
      // One value has no unbiased variance; the biased one (0) then stands in, rather than NaN.
      variance: blend(old.variance!, variance, count > 1 ? (momentum * count) / (count - 1) : momentum),
    };
  }
  return updated;
}

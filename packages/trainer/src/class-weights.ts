import { CertError, type HostBatch } from '@cert/core';
import type { Objective } from './objectives/objective.js';

/** A weight >= 0 for each class, in label order. */
export type ClassWeights = readonly number[];

/**
 * Returns weights inversely proportional to how often each class occurs: n / (classes * n_c), so that all classes weigh the same in total.
 * A class without examples has the weight 0.
 *
 * @param labels one class index per example, from 0
 */
export function balancedWeights(labels: ArrayLike<number>, classes: number): ClassWeights {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]!++;
  return counts.map((count) => (count === 0 ? 0 : labels.length / (classes * count)));
}

/**
 * Returns the batch with weights by class, scaled to the mean 1: the loss is then sum_i w_i loss_i / sum_i w_i, as PyTorch defines
 * `CrossEntropyLoss(weight)` with the reduction `mean`. In a batch of examples of weight 0 alone, all weights stay 0.
 */
export function weightByClass(batch: HostBatch, weights: ClassWeights): HostBatch {
  const own = Float64Array.from(batch.labels, (label) => weights[label]!);
  const mean = own.reduce((a, b) => a + b, 0) / own.length;
  return { ...batch, weights: Float32Array.from(own, (weight) => (mean === 0 ? 0 : weight / mean)) };
}

/** @throws CertError `bad-argument` for an objective that would ignore weights */
export function checkWeighted({ name, weighted = false }: Pick<Objective, 'name' | 'weighted'>): void {
  if (weighted) return;
  throw new CertError(
    'bad-argument',
    `The objective ${name} does not weight examples, but the batches have weights.`,
    'Train without class weights. In the objective, use weightedMean(losses, context.weights) and set weighted: true.',
  );
}

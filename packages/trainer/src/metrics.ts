import { type Scalar, type Tensor, tf } from '@cert/core';
import type { DeviceArray } from '@cert/jit';
import type { StepMetrics } from './step.js';

/** Metrics as plain numbers: losses and terms are means over images, `error` and `verifiedError` fractions of images. */
export interface Metrics {
  /** Total loss: the objective plus the weighted regularizers. */
  readonly loss: number;
  /** The cross-entropy of the clean images. */
  readonly naturalLoss: number;
  /** Standard error: misclassified without perturbation. */
  readonly error: number;
  /** The global norm of the gradients before clipping. */
  readonly gradNorm: number;
  /** The robust loss; present if bounds were computed. */
  readonly robustLoss?: number;
  /** Verified error; present if bounds were computed. */
  readonly verifiedError?: number;
  /** Each regularizer by its name, unweighted, while it is on. */
  readonly [term: string]: number | undefined;
}

/** Sums over the images of an unfinished epoch, each with its number of images. Plain data. */
export type MetricSums = { readonly [metric: string]: { readonly sum: number; readonly images: number } };

/** What the numbers of a step's metrics are, in order: counts of images, then losses and terms. */
export interface MetricsLayout {
  readonly counts: readonly ('errors' | 'unverified')[];
  readonly names: readonly string[];
}

/** The metrics of one step in one vector: a GPU then waits for one copy instead of one for each. */
export function packMetrics(metrics: StepMetrics): { readonly values: Tensor; readonly layout: MetricsLayout } {
  const { terms, errors, unverified, robustLoss, ...rest } = metrics;
  const named: { readonly [name: string]: Scalar } = { ...rest, ...(robustLoss && { robustLoss }), ...terms };
  const scalars = [errors, ...(unverified ? [unverified] : []), ...Object.values(named)];
  return {
    values: tf.stack(scalars.map((x) => tf.cast(tf.reshape(x, []), 'float32'))),
    layout: { counts: unverified ? ['errors', 'unverified'] : ['errors'], names: Object.keys(named) },
  };
}

/** Reads the metrics of one step. */
export async function readMetrics(
  packed: DeviceArray,
  { counts, names }: MetricsLayout,
  images: number,
): Promise<Metrics> {
  const numbers = await packed.data();
  const [errors, unverified] = counts.map((_, i) => numbers[i]!);
  const values = Object.fromEntries(names.map((name, i) => [name, numbers[counts.length + i]!]));
  return {
    loss: values.loss!,
    naturalLoss: values.naturalLoss!,
    gradNorm: values.gradNorm!,
    ...values,
    error: errors! / images,
    ...(unverified !== undefined && { verifiedError: unverified / images }),
  };
}

/** The sums with the metrics of one more step. */
export function addMetrics(sums: MetricSums, metrics: Metrics, images: number): MetricSums {
  const added: Record<string, MetricSums[string]> = { ...sums };
  for (const [name, value] of Object.entries(metrics)) {
    if (value === undefined) continue;
    const before = sums[name] ?? { sum: 0, images: 0 };
    added[name] = { sum: before.sum + value * images, images: before.images + images };
  }
  return added;
}

/** The means over all images that each metric was measured on. */
export const meanMetrics = (sums: MetricSums): Metrics =>
  Object.fromEntries(
    Object.entries(sums).map(([name, { sum, images }]) => [name, sum / images]),
  ) as Partial<Metrics> as Metrics;

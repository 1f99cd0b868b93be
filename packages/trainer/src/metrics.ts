import type { DeviceArray, OnDevice } from '@cert/jit';
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

/** Reads the metrics of one step. */
export async function readMetrics(metrics: OnDevice<StepMetrics>, images: number): Promise<Metrics> {
  const number = async (array: DeviceArray) => (await array.data())[0]!;
  const { terms, errors, unverified, robustLoss, ...rest } = metrics;
  const named = { ...rest, ...(robustLoss && { robustLoss }), ...terms };
  const values: Record<string, number> = {};
  for (const [name, array] of Object.entries(named)) values[name] = await number(array);
  return {
    loss: values.loss!,
    naturalLoss: values.naturalLoss!,
    gradNorm: values.gradNorm!,
    ...values,
    error: (await number(errors)) / images,
    ...(unverified && { verifiedError: (await number(unverified)) / images }),
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

import { ibp, naturalPass } from '@cert/bounds';
import {
  type BatchNormStats,
  type BoundMethod,
  type DataRange,
  INPUT,
  linfBall,
  type Model,
  type Params,
  radiusOf,
  reluInputs,
  type Tensor,
  tf,
} from '@cert/core';

/** The mean radius of the bounds at one place of the model. */
export interface GainRow {
  /** A node that feeds a ReLU, `input` for the box (first row), or the last node (last row). */
  readonly node: string;
  /** Mean over batch and neurons of (upper - lower) / 2. */
  readonly meanRadius: number;
  /** `meanRadius` over that of the row before; null for the input. */
  readonly gain: number | null;
}

/** What {@link gainReport} takes besides model, parameters and images. */
export interface GainOptions {
  /** Radius of the box in the units of the images. */
  readonly epsilon: number;
  /** Default IBP. */
  readonly method?: BoundMethod;
  /** Statistics of batch normalizations; default those of the images, as in training. */
  readonly norm?: BatchNormStats | 'batch';
  /** What the box is clipped to; default [0, 1], null for no clipping. */
  readonly range?: DataRange | null;
}

/**
 * How the mean radius of the bounds grows from layer to layer: at initialization it explodes with Xavier, and stays with the
 * IBP initialization. Reads values, so it has no place inside a step; frees its tensors.
 *
 * @param images [batch, ...inputShape]
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN or infinite
 */
export async function gainReport(
  model: Model,
  params: Params,
  images: Tensor,
  { epsilon, method = ibp, norm = 'batch', range = { min: 0, max: 1 } }: GainOptions,
): Promise<GainRow[]> {
  const last = model.nodes.at(-1)!.name;
  const names = [INPUT, ...reluInputs(model), last];
  const radii = tf.tidy(() => {
    const box = linfBall(images, epsilon, range);
    const used = norm === 'batch' ? naturalPass(model, params, images, 'batch').norm : norm;
    const bounds = method.bound(model, params, used, box);
    const means = names.map((name) => tf.mean(radiusOf(name === last ? bounds.output : bounds.at[name]!)));
    return tf.stack(means);
  });
  const values = await radii.data();
  radii.dispose();
  return names.map((node, i) => {
    const meanRadius = values[i]!;
    return { node, meanRadius, gain: i === 0 ? null : meanRadius / values[i - 1]! };
  });
}

/** The report as a table of text, one line a row. */
export function formatGainReport(rows: readonly GainRow[]): string {
  const cells = [
    ['node', 'mean radius', 'gain'],
    ...rows.map(({ node, meanRadius, gain }) => [node, meanRadius.toPrecision(4), gain?.toPrecision(4) ?? '']),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map(([name, ...numbers]) => {
      const columns = [name!.padEnd(widths[0]!), ...numbers.map((cell, i) => cell.padStart(widths[i + 1]!))];
      return columns.join('  ').trimEnd();
    })
    .join('\n');
}

import { ibp, naturalPass, nonlinearInputs, type RuleTable } from '@cert/bounds';
import {
  type BatchNormStats,
  type BoundMethod,
  type HostParams,
  INPUT,
  type Model,
  type NodeOf,
  type Params,
  type Perturbation,
  perturbationBox,
  radiusOf,
  type Tensor,
  tf,
  toTensors,
  UNIT_BALL,
} from '@cert/core';
import { fanIn } from './fan.js';

/** Mean radius of the bounds at one node. */
export interface GainRow {
  /** A node that feeds a ReLU or an op of a plug-in, `input` for the box (first row), or the last node (last row). */
  readonly node: string;
  /** Mean over batch and neurons of (upper - lower) / 2. */
  readonly meanRadius: number;
  /** `meanRadius` divided by the mean radius of the previous row; null for the input. */
  readonly gain: number | null;
  /** Gain expected from the weights, see {@link expectedGains}. */
  readonly expected: number | null;
}

/** Options of {@link gainReport}. */
export interface GainOptions {
  /** Radius of the box in the units of the images (raw pixels for images in [0, 1]). */
  readonly epsilon: number;
  /** Bound method; default IBP. */
  readonly method?: BoundMethod;
  /** The plain forward pass; default: the rules of the built-in ops. */
  readonly natural?: RuleTable<Tensor>;
  /** BatchNorm statistics; default: statistics of the images, as in training. */
  readonly norm?: BatchNormStats | 'batch';
  /** The set around each image, whose radius `epsilon` replaces; default: an l-infinity ball, clipped to [0, 1]. */
  readonly perturbation?: Perturbation;
}

/**
 * Reports how the mean radius of the bounds grows from layer to layer: at initialization it explodes with Xavier and stays constant with
 * the IBP initialization. Reads values, so do not call it inside a step; disposes its tensors.
 *
 * @param images [batch, ...inputShape]
 * @returns one row for the input, one for each node that feeds a ReLU or a plug-in op, and one for the logits
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN or infinite, `missing-rule` for an op that the method lacks
 */
export async function gainReport(
  model: Model,
  params: HostParams,
  images: Tensor,
  options: GainOptions,
): Promise<GainRow[]> {
  const radii = tf.tidy(() => meanRadii(model, toTensors(params), images, options));
  const values = await radii.data();
  radii.dispose();
  return gainRows(model, values, expectedGains(model, params));
}

/**
 * Returns the mean radius of the input box, at every node that feeds a ReLU, and at the last node. A pure function of tensors that reads no
 * value, so it can be compiled.
 *
 * @param images [batch, ...inputShape]
 * @returns [rows of the report]
 * @throws CertError `bad-argument` for an epsilon that is negative, NaN or infinite
 */
export function meanRadii(
  model: Model,
  params: Params,
  images: Tensor,
  { epsilon, method = ibp, natural, norm = 'batch', perturbation = UNIT_BALL }: GainOptions,
): Tensor {
  const box = perturbationBox(perturbation, images, epsilon);
  const used = norm === 'batch' ? naturalPass({ model, params, norm: 'batch' }, images, natural).norm : norm;
  const { at, output } = method.bound({ network: { model, params, norm: used }, box });
  const last = model.nodes.at(-1)!.name;
  return tf.stack(reportNodes(model).map((name) => tf.mean(radiusOf(name === last ? output : at[name]!))));
}

/**
 * Returns the gain of each row expected from its weights: n / 2 * mean |W| for a kernel of fan-in n after a ReLU, which halves the mean
 * radius ("Fast Certified Robust Training with Short Warmup", where its IBP initialization is derived), n * mean |W| for a kernel after the
 * input. Padding of a convolution counts like pixels, so measured gains are slightly lower there. Null for the input, and if anything other
 * than one convolution or dense layer is between two rows (BatchNorm, a residual sum).
 */
export function expectedGains(model: Model, params: HostParams): (number | null)[] {
  const rows = reportNodes(model);
  return rows.map((row, i) => {
    const between = i === 0 ? null : onlyLayer(model, rows[i - 1]!, row);
    if (between === null) return null;
    const { data } = params[between.layer.name]!.kernel!;
    let sum = 0;
    for (const weight of data) sum += Math.abs(weight);
    const gain = (fanIn(between.layer.params.kernel) * sum) / data.length;
    return between.behindRelu ? gain / 2 : gain;
  });
}

/**
 * The rows of the report.
 *
 * @param radii the values of {@link meanRadii}
 * @param expected those of {@link expectedGains}
 */
export const gainRows = (model: Model, radii: ArrayLike<number>, expected: readonly (number | null)[]): GainRow[] =>
  reportNodes(model).map((node, i) => {
    const meanRadius = radii[i]!;
    return { node, meanRadius, gain: i === 0 ? null : meanRadius / radii[i - 1]!, expected: expected[i]! };
  });

/** Where the report looks. */
const reportNodes = (model: Model): string[] => [INPUT, ...nonlinearInputs(model), model.nodes.at(-1)!.name];

/** The one layer with weights between two rows of the report; null when there is none, another or anything else with them. */
function onlyLayer(
  model: Model,
  from: string,
  to: string,
): { readonly layer: NodeOf<'conv2d'> | NodeOf<'dense'>; readonly behindRelu: boolean } | null {
  const nodes = new Map(model.nodes.map((node) => [node.name, node]));
  const weighted = nodes.get(to)!;
  if (weighted.op !== 'conv2d' && weighted.op !== 'dense') return null;
  let before = nodes.get(weighted.inputs[0]!);
  if (before?.op === 'flatten') before = nodes.get(before.inputs[0]!);
  if (before === undefined) return from === INPUT ? { layer: weighted, behindRelu: false } : null;
  return before.op === 'relu' && before.inputs[0] === from ? { layer: weighted, behindRelu: true } : null;
}

/** Formats the report as a text table: a heading and one line per row, with four significant digits. */
export function formatGainReport(rows: readonly GainRow[]): string {
  const cells = [
    ['node', 'mean radius', 'gain', 'expected'],
    ...rows.map(({ node, meanRadius, gain, expected }) => [
      ...[node, meanRadius.toPrecision(4), gain?.toPrecision(4) ?? '', expected?.toPrecision(4) ?? ''],
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map(([name, ...numbers]) => {
      const columns = [name!.padEnd(widths[0]!), ...numbers.map((cell, i) => cell.padStart(widths[i + 1]!))];
      return columns.join('  ').trimEnd();
    })
    .join('\n');
}

import {
  CertError,
  checkModel,
  checkParams,
  describeValue,
  INPUT,
  type Model,
  type Node,
  type NodeOf,
  type Op,
  type Shape,
} from '@cert/core';
import { checkFinite } from '../check-finite.js';
import type { ImportedNetwork } from '../onnx/read-onnx.js';
import { withoutBatchNorm } from './fold-batch-norm.js';
import { type GraphWriter, graphWriter, type Port } from './graph-writer.js';
import { asImage, asRows, type Stored } from './layout.js';
import { IMAGE_OPS, RULES, type Rule } from './rules.js';
import { checkColumns, featuresOfColumns, type TableColumn } from './table-columns.js';

/** The order of the axes of images behind the batch axis: channels, height, width, or height, width, channels. */
export type ImageLayout = 'nchw' | 'nhwc';

/** Options of {@link toOnnx}. */
export interface ToOnnxOptions {
  /** The order of the axes of the input, if the network takes images; default `nchw`, as PyTorch and most verifiers have it. */
  readonly layout?: ImageLayout;
  /** The batch axis: `any` is symbolic, 1 a single example. Default `any`. */
  readonly batch?: 1 | 'any';
  /**
   * Whether to fold BatchNorm into the convolution or dense layer in front (or into a product and a sum, where there is none); default
   * false.
   */
  readonly foldBatchNorm?: boolean;
  /**
   * Columns of a table, for a network on its rows: the file then takes an input [batch, 1] for each column under its name, float32 numbers or texts of
   * categories, instead of one with all features. Texts are encoded by `OneHotEncoder` of the domain `ai.onnx.ml`; an unknown category is an error of
   * the runtime. Default: one input `input`.
   */
  readonly columns?: readonly TableColumn[] | undefined;
  /** Facts stored with the file (`metadata_props`), such as `{ epsilon: '8/255' }`; default none. */
  readonly metadata?: { readonly [key: string]: string };
  /** The program that writes the file; default `cert`, without a version. */
  readonly producer?: { readonly name: string; readonly version: string };
}

/** The name of the input of an exported file that has one. */
const INPUT_NAME = 'input';

/**
 * Writes a network as an ONNX file: operator set 17, ops of the standard domain only (see `columns`), float32, weights in the file.
 *
 * The input `input` is [batch, channels, height, width] (or [batch, height, width, channels], see `layout`) or [batch, features]; the
 * output `output` is [batch, classes], in the order of the model. Nodes have the names of the model, constants names such as
 * `conv1.weight`, `conv1.bias`, `bn1.running_mean`. BatchNorm uses the running statistics. Input normalization (`affine`) becomes a
 * product and a sum, so that inputs stay in raw pixel units.
 *
 * @param network such as a decoded checkpoint or an imported network
 * @returns the bytes of the file
 * @throws CertError `missing-rule` naming a node whose op has no equivalent, such as one of a plug-in; `not-finite` naming a weight that is
 * NaN or infinite, or a negative variance; `shape-mismatch` for weights that do not fit the model; `bad-model`; `bad-argument` for an
 * unknown option, and for columns that are not the features of the network
 */
export function toOnnx(
  network: Pick<ImportedNetwork, 'model' | 'params' | 'stats'>,
  {
    layout = 'nchw',
    batch = 'any',
    foldBatchNorm = false,
    columns,
    metadata = {},
    producer = { name: 'cert', version: '' },
  }: ToOnnxOptions = {},
): Uint8Array {
  checkOptions(layout, batch);
  checkModel(network.model);
  if (columns !== undefined) checkColumns(network.model, columns);
  network.model.nodes.forEach(ruleOf);
  checkParams(network.model, network.params);
  checkParams(network.model, network.stats, 'stats');
  checkFinite(network.params);
  checkFinite(network.stats);
  checkVariances(network);
  const { model, params, stats } = foldBatchNorm ? withoutBatchNorm(network) : network;
  checkFinite(params, ' once BatchNorm is folded into it');

  const names = columns?.map(({ name }) => name) ?? [INPUT_NAME];
  const output = names.includes('output') ? 'output_2' : 'output';
  const writer = graphWriter([...names, output]);
  const first = batch === 'any' ? 'batch' : 1;
  const { inputs, input } = inputsOf(model, { layout, columns, first }, writer);
  const values = new Map<string, Stored>([[INPUT, input]]);
  for (const node of model.nodes) {
    const read = node.inputs.map((name) => values.get(name)!);
    values.set(node.name, ruleOf(node)(writer, node as NodeOf<Op>, read, { params, stats }));
  }
  const { name } = asRows(writer, values.get(model.nodes.at(-1)!.name)!);
  const facts = { graph: 'network', producer, metadata };
  return writer.finish(inputs, { name: output, shape: [first, model.classes] }, name, facts);
}

/** The shape of an example in a file. */
function shapeIn(layout: ImageLayout, shape: Shape): Shape {
  const [height, width, channels] = shape;
  return shape.length === 3 && layout === 'nchw' ? [channels!, height!, width!] : shape;
}

/** The inputs of the file, and the value that the first nodes of the model read. */
function inputsOf(
  { inputShape: shape, nodes }: Model,
  { layout, columns, first }: Pick<ToOnnxOptions, 'columns'> & { layout: ImageLayout; first: number | string },
  writer: GraphWriter,
): { readonly inputs: readonly Port[]; readonly input: Stored } {
  if (columns !== undefined) {
    const { inputs, features } = featuresOfColumns(writer, columns, first);
    return { inputs, input: { name: features, shape, image: undefined } };
  }
  const name = INPUT_NAME;
  const inputs = [{ name, shape: [first, ...shapeIn(layout, shape)] }];
  if (shape.length === 3 && layout === 'nchw') return { inputs, input: { name, shape, image: shape } };
  const input = { name, shape, image: undefined };
  // Moved once, in front of everything: TensorFlow's exporters do the same, and readers recognize it.
  const isImage = shape.length === 3 && nodes.some(({ op }) => IMAGE_OPS.has(op));
  return { inputs, input: isImage ? asImage(writer, input) : input };
}

function checkOptions(layout: unknown, batch: unknown): void {
  if (layout !== 'nchw' && layout !== 'nhwc') {
    throw new CertError('bad-argument', `The layout is ${describeValue(layout)}.`, 'Give nchw or nhwc.');
  }
  if (batch !== 1 && batch !== 'any') {
    throw new CertError('bad-argument', `The batch is ${describeValue(batch)}.`, "Give 1 or 'any'.");
  }
}

function ruleOf({ op, name }: Node): Rule<Op> {
  const rule = Object.hasOwn(RULES, op) ? (RULES[op] as Rule<Op>) : undefined;
  if (rule !== undefined) return rule;
  throw new CertError(
    'missing-rule',
    `The op ${describeValue(op)} (node ${describeValue(name)}) has no equivalent in ONNX.`,
    `Build the model from the ops ${Object.keys(RULES).join(', ')}.`,
  );
}

function checkVariances({ model, stats }: Pick<ImportedNetwork, 'model' | 'stats'>): void {
  for (const node of model.nodes) {
    if (node.op !== 'batchNorm') continue;
    const { data } = stats[node.name]!.variance!;
    const at = data.findIndex((variance) => !(variance + node.attrs.epsilon > 0));
    if (at < 0) continue;
    throw new CertError(
      'not-finite',
      `The variance of "${node.name}" is ${data[at]} at ${at}, and its square root with epsilon ${node.attrs.epsilon} is not a positive number.`,
      'Export a checkpoint with running statistics of real batches.',
    );
  }
}

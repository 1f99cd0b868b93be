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
import { type GraphWriter, graphWriter } from './graph-writer.js';
import { asImage, asRows, type Stored } from './layout.js';
import { IMAGE_OPS, RULES, type Rule } from './rules.js';

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
  /** Facts stored with the file (`metadata_props`), such as `{ epsilon: '8/255' }`; default none. */
  readonly metadata?: { readonly [key: string]: string };
  /** The program that writes the file; default `cert`, without a version. */
  readonly producer?: { readonly name: string; readonly version: string };
}

/** The names of the input and the output of an exported file. */
const [INPUT_NAME, OUTPUT_NAME] = ['input', 'output'];

/**
 * Writes a network as an ONNX file: operator set 17, ops of the standard domain only, float32, weights in the file.
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
 * unknown option
 */
export function toOnnx(
  network: Pick<ImportedNetwork, 'model' | 'params' | 'stats'>,
  {
    layout = 'nchw',
    batch = 'any',
    foldBatchNorm = false,
    metadata = {},
    producer = { name: 'cert', version: '' },
  }: ToOnnxOptions = {},
): Uint8Array {
  checkOptions(layout, batch);
  checkModel(network.model);
  network.model.nodes.forEach(ruleOf);
  checkParams(network.model, network.params);
  checkParams(network.model, network.stats, 'stats');
  checkFinite(network.params);
  checkFinite(network.stats);
  checkVariances(network);
  const { model, params, stats } = foldBatchNorm ? withoutBatchNorm(network) : network;
  checkFinite(params, ' once BatchNorm is folded into it');

  const writer = graphWriter([INPUT_NAME, OUTPUT_NAME]);
  const values = new Map<string, Stored>([[INPUT, inputOf(model, layout, writer)]]);
  for (const node of model.nodes) {
    const inputs = node.inputs.map((name) => values.get(name)!);
    values.set(node.name, ruleOf(node)(writer, node as NodeOf<Op>, inputs, { params, stats }));
  }
  const output = asRows(writer, values.get(model.nodes.at(-1)!.name)!);
  const first = batch === 'any' ? 'batch' : 1;
  return writer.finish(
    { name: INPUT_NAME, shape: [first, ...shapeIn(layout, model.inputShape)] },
    { name: OUTPUT_NAME, shape: [first, model.classes] },
    output.name,
    { graph: 'network', producer, metadata },
  );
}

/** The shape of an example in a file. */
function shapeIn(layout: ImageLayout, shape: Shape): Shape {
  const [height, width, channels] = shape;
  return shape.length === 3 && layout === 'nchw' ? [channels!, height!, width!] : shape;
}

function inputOf({ inputShape: shape, nodes }: Model, layout: ImageLayout, writer: GraphWriter): Stored {
  const name = INPUT_NAME;
  if (shape.length === 3 && layout === 'nchw') return { name, shape, image: shape };
  const input = { name, shape, image: undefined };
  // Moved once, in front of everything: TensorFlow's exporters do the same, and readers recognize it.
  return shape.length === 3 && nodes.some(({ op }) => IMAGE_OPS.has(op)) ? asImage(writer, input) : input;
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

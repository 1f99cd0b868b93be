import { checkParams, graph, type HostParams, INPUT, type Model } from '@cert/core';
import { MOST_ELEMENTS, MOST_IN_ALL } from '../graph/limits.js';
import { attributesOf, badNode, unsupported } from './attributes.js';
import { type OnnxFile, type OnnxNode, type OnnxValueInfo, readFile } from './file.js';
import { countOf, imageOrder, type Order } from './order.js';
import { RULES } from './rules/rules.js';
import { asVector, inOnnxOrder, type Progress, type Step } from './step.js';
import { FLOAT32, FLOAT64 } from './tensor.js';
import type { Computed, GrowingParams, Value } from './values.js';
import { badOnnx } from './wire.js';

/** A network imported from an ONNX file. */
export interface ImportedNetwork {
  /** Its graph, with images as [height, width, channels]. Its last node has one number per output, in ONNX's order. */
  readonly model: Model;
  /** Weights and biases, float32. */
  readonly params: HostParams;
  /** Means and variances of BatchNorm nodes. */
  readonly stats: HostParams;
  /** The shape of the ONNX input, such as [1, 3, 32, 32]. A batch of any size counts as 1; some networks have no batch axis. */
  readonly inputShape: readonly number[];
  /** For each element of the ONNX input, in C order, its position in the model's input, row-major. */
  readonly inputOrder: Int32Array;
  /** The Relu nodes of the file that are one node of the model. */
  readonly relus: readonly ImportedRelu[];
  /** Operator set version of the file. */
  readonly opset: number;
  /** Program that wrote the file, with version; empty if unknown. */
  readonly producer: string;
  /** Notes on changes made by the import, such as rounded weights; usually empty. */
  readonly notes: readonly string[];
}

/** A Relu node of the file. */
export interface ImportedRelu {
  /** The name of its output in the file. */
  readonly output: string;
  /** The node of the model. */
  readonly node: string;
  /** For each element of the output, in C order, its position in the node, row-major. */
  readonly order: Int32Array;
}

/** Versions of the operators for which the rules were written. */
const [OLDEST, NEWEST] = [7, 21];

/** Ops for which an input of four axes is an image. */
const IMAGE_OPS = new Set([
  'Conv',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'ReduceMean',
  'Pad',
  'BatchNormalization',
]);

/**
 * Imports a network from an ONNX file. Does not run the network: compare outputs with a runtime if that matters.
 *
 * Images become [height, width, channels] and kernels [height, width, channels, filters]; the rows of a dense layer behind a flattened
 * image are put into the order of the model, so that reshapes and transpositions seldom need nodes. One input and one output; a batch axis
 * of any kind counts as 1.
 *
 * @param bytes the file, decompressed
 * @throws CertError `bad-file` for bytes that are not an ONNX file, and for weights that are not finite or in another file; `missing-rule`
 * naming the node whose op, attribute or shape is not supported
 */
export function readOnnx(bytes: Uint8Array): ImportedNetwork {
  const file = readFile(bytes);
  if (file.opset < OLDEST || file.opset > NEWEST) {
    throw badOnnx(
      `uses operator set version ${file.opset}`,
      `Convert the file with onnx.version_converter: versions ${OLDEST} to ${NEWEST} are supported.`,
    );
  }
  const [input, output] = ends(file);
  const nodes = neededNodes(file, output.name);
  const { shape, modelShape, order } = inputOf(input, nodes);

  const builder = graph(modelShape);
  const progress: Progress = {
    opset: file.opset,
    builder,
    params: {},
    stats: {},
    notes: new Set(),
    withoutBias: new Map(),
  };
  if (input.type === FLOAT64) progress.notes.add('The network computes in float64; the import computes in float32.');
  const values = new Map<string, Value>([[input.name, { kind: 'computed', node: INPUT, shape, order }]]);
  for (const { name, ...tensor } of file.initializers) {
    if (values.has(name)) throw badOnnx(`has two constants "${name.slice(0, 80)}"`);
    values.set(name, { kind: 'constant', name, integer: tensor.type === 'integer', ...tensor });
  }
  const readers = countReaders(nodes, output.name);
  let elements = 0;
  for (const node of nodes) {
    const step = stepOf(node, progress, values, readers, output.name);
    const result = ruleOf(node).apply(step);
    elements += countOf(result.shape);
    if (elements > MOST_IN_ALL) throw badOnnx(`computes more than ${MOST_IN_ALL} numbers in total`);
    values.set(node.outputs[0]!, result);
  }

  const result = values.get(output.name);
  if (result?.kind !== 'computed' || result.node === INPUT) {
    throw badOnnx('has an output that does not depend on any layer', 'Give a network with at least one layer.');
  }
  // Nodes may be left over whose values nothing reads, such as those of which only the shape is asked for.
  const model = builder.build(finish(nodes.at(-1)!, progress, values, result, output.name));
  const names = new Set(model.nodes.map(({ name }) => name));
  const ofModel = (all: GrowingParams) => Object.fromEntries(Object.entries(all).filter(([name]) => names.has(name)));
  const [params, stats] = [ofModel(progress.params), ofModel(progress.stats)];
  checkParams(model, params);
  checkParams(model, stats, 'stats');
  const relus = nodes.filter(({ op }) => op === 'Relu').flatMap(({ outputs: [output] }) => reluOf(output!, values));
  return {
    model,
    params,
    stats,
    inputShape: shape,
    inputOrder: order ?? Int32Array.from({ length: countOf(shape) }, (_, i) => i),
    relus: relus.filter(({ node }) => names.has(node)),
    opset: file.opset,
    producer: file.producer,
    notes: [...progress.notes],
  };
}

function reluOf(output: string, values: ReadonlyMap<string, Value>): readonly ImportedRelu[] {
  const value = values.get(output);
  if (value?.kind !== 'computed') return [];
  const { node, shape, order } = value;
  return [{ output, node, order: order ?? Int32Array.from({ length: countOf(shape) }, (_, i) => i) }];
}

/** The node of the output, as a vector in ONNX's order. */
function finish(
  node: OnnxNode,
  progress: Progress,
  values: ReadonlyMap<string, Value>,
  result: Computed,
  output: string,
): string {
  const step: Step = {
    ...progress,
    node,
    attributes: attributesOf({ ...node, attributes: [] }, []),
    inputs: node.inputs.map((name) => values.get(name)),
    readers: () => 1,
    output,
  };
  return asVector(step, inOnnxOrder(step, result)).node;
}

/** The one input that is no constant, and the one output. */
function ends(file: OnnxFile): readonly [OnnxValueInfo, OnnxValueInfo] {
  const constants = new Set(file.initializers.map(({ name }) => name));
  const inputs = file.inputs.filter(({ name }) => !constants.has(name));
  if (inputs.length !== 1 || file.outputs.length !== 1) {
    throw badOnnx(
      `has ${inputs.length} inputs and ${file.outputs.length} outputs`,
      inputs.length > 1
        ? 'Give a network with one input and one output. If the inputs are columns of a table, export the network again without columns.'
        : 'Give a network with one input and one output.',
    );
  }
  return [inputs[0]!, file.outputs[0]!];
}

/** The nodes that the output depends on, in the order of the file, which is one in which they can run. */
function neededNodes(file: OnnxFile, output: string): readonly OnnxNode[] {
  const needed = new Set([output]);
  const made = new Set([...file.initializers, ...file.inputs].map(({ name }) => name));
  for (const node of file.nodes) {
    for (const name of node.outputs) {
      if (name === '') continue;
      if (made.has(name)) throw badNode(node, `which computes "${name.slice(0, 80)}", a name that is already used`);
      made.add(name);
    }
  }
  const nodes = file.nodes.toReversed().filter(({ inputs, outputs }) => {
    const isNeeded = outputs.some((name) => name !== '' && needed.has(name));
    if (isNeeded) for (const name of inputs) needed.add(name);
    return isNeeded;
  });
  for (const node of nodes) {
    const other = node.outputs.slice(1).find((name) => name !== '' && needed.has(name));
    if (other !== undefined) {
      throw unsupported(
        node,
        `its output "${other.slice(0, 80)}" is used`,
        'Only the first output of a node is supported.',
      );
    }
  }
  return nodes.toReversed();
}

function countReaders(nodes: readonly OnnxNode[], output: string): ReadonlyMap<string, number> {
  const readers = new Map([[output, 1]]);
  for (const name of nodes.flatMap(({ inputs }) => inputs)) readers.set(name, (readers.get(name) ?? 0) + 1);
  return readers;
}

function ruleOf(node: OnnxNode) {
  const isStandard = node.domain === '' || node.domain === 'ai.onnx';
  const rule = isStandard && Object.hasOwn(RULES, node.op) ? RULES[node.op] : undefined;
  if (rule !== undefined) return rule;
  throw unsupported(
    node,
    isStandard ? 'the op is not supported' : `the op is of the domain "${node.domain.slice(0, 40)}"`,
    `Use only the ops ${Object.keys(RULES).sort().join(', ')}.`,
  );
}

function stepOf(
  node: OnnxNode,
  progress: Progress,
  values: ReadonlyMap<string, Value>,
  readers: ReadonlyMap<string, number>,
  output: string,
): Step {
  const { attributes, inputs } = ruleOf(node);
  const [least, most] = inputs;
  if (node.inputs.length < least || node.inputs.length > most || !node.outputs[0]) {
    throw badNode(node, `which has ${node.inputs.length} inputs and ${node.outputs.length} outputs`);
  }
  return {
    ...progress,
    node,
    attributes: attributesOf(node, attributes),
    inputs: node.inputs.map((name) => {
      if (name === '') return undefined;
      const value = values.get(name);
      if (value === undefined) throw badNode(node, `whose input "${name.slice(0, 80)}" nothing before it computes`);
      return value;
    }),
    readers: (name) => readers.get(name) ?? 0,
    output,
  };
}

/** The shape of the input in the file and in the model. */
function inputOf(input: OnnxValueInfo, nodes: readonly OnnxNode[]) {
  const what = `has an input "${input.name.slice(0, 80)}"`;
  if (input.type !== FLOAT32 && input.type !== FLOAT64) {
    throw badOnnx(`${what} of data type ${input.type}`, 'Convert the network to float32 inputs.');
  }
  const shape = (input.shape ?? []).map((length, axis) => length ?? (axis === 0 ? 1 : 0));
  const asked = `[${(input.shape ?? []).map((length) => length ?? '?')}]`;
  if (shape.length === 0 || shape.includes(0)) {
    throw badOnnx(
      `${what} of shape ${asked}`,
      'Export the network with a fixed shape; only the batch may be symbolic.',
    );
  }
  if (!(countOf(shape) <= MOST_ELEMENTS)) throw badOnnx(`${what} of shape ${asked}, which is too large`);
  const [batch, ...rest] = shape as [number, ...number[]];
  // Of two axes the first is the batch, except in [784, 1]. Of three it may be channels.
  if (batch !== 1 && (shape.length > 3 || (shape.length === 2 && rest[0] !== 1))) {
    throw badOnnx(
      `${what} of shape ${asked}, a batch of ${batch}`,
      'Export the network with a batch of 1, or with a symbolic batch.',
    );
  }
  if (shape.length !== 4 || !nodes.some(({ op }) => IMAGE_OPS.has(op))) {
    return { shape, modelShape: [countOf(shape)], order: undefined };
  }
  const [first, second, third] = rest as [number, number, number];
  // TensorFlow's exporters transpose images, which are [1, height, width, channels] there.
  const firstReaders = nodes.filter(({ inputs }) => inputs.includes(input.name));
  const isChannelsLast = firstReaders.every(
    ({ op, attributes }) => op === 'Transpose' && attributes[0]?.ints.join() === '0,3,1,2',
  );
  const order: Order = isChannelsLast ? undefined : imageOrder([first, second, third]);
  return { shape, modelShape: isChannelsLast ? [first, second, third] : [second, third, first], order };
}

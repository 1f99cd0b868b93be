import {
  CertError,
  dense,
  flatten,
  type GraphBuilder,
  type Layer,
  type Op,
  reshape,
  type Shape,
  sizeOf,
  transpose,
} from '@cert/core';
import { MOST_ELEMENTS } from '../graph/limits.js';
import { type Attributes, badNode, unsupported } from './attributes.js';
import type { OnnxNode } from './file.js';
import {
  countOf,
  imageOrder,
  inverse,
  type Order,
  permutations,
  sameNumbers,
  sameOrder,
  transposedOrder,
} from './order.js';
import type { Computed, Constant, GrowingParams, Value } from './values.js';

/** What importing a graph has made so far. */
export interface Progress {
  /** Version of the operators. */
  readonly opset: number;
  readonly builder: GraphBuilder;
  readonly params: GrowingParams;
  readonly stats: GrowingParams;
  /** What the reader of the result should know. */
  readonly notes: Set<string>;
  /**
   * The values of the ONNX graph that come right from a node whose bias is zero because the file has none, with the name of that node:
   * what is added to such a value becomes the bias.
   */
  readonly withoutBias: Map<string, string>;
}

/** A node at work. */
export interface Step extends Progress {
  readonly node: OnnxNode;
  readonly attributes: Attributes;
  /** Undefined where an optional input is left out. */
  readonly inputs: readonly (Value | undefined)[];
  /** How often nodes and the output of the graph read a value. */
  readonly readers: (name: string) => number;
  /** The name of the graph's output. */
  readonly output: string;
}

/** Adds a node to the model. */
export function place<K extends Op>(step: Step, layer: Layer<K>, inputs: readonly string[]): string {
  let name: string;
  try {
    name = step.builder.add(layer, inputs);
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    // That error names a node of the model, which the file does not have.
    throw badNode(step.node, `which cannot be imported: ${error.problem.replace(/\.$/, '')}`);
  }
  if (sizeOf(step.builder.shapeOf(name)) > MOST_ELEMENTS) throw tooLarge(step.node);
  return name;
}

/** The error of a value that would not fit into memory. */
export const tooLarge = (node: OnnxNode) => badNode(node, `which computes more than ${MOST_ELEMENTS} numbers`);

/** The input of a node that must be there. */
export function inputOf(step: Step, index: number): Value {
  const value = step.inputs[index];
  if (value === undefined) throw badNode(step.node, `whose input ${index} is missing`);
  return value;
}

/** An input that the network computes. Rules with constants alone are folded before. */
export function computedInput(step: Step, index: number): Computed {
  const value = inputOf(step, index);
  if (value.kind === 'computed') return value;
  throw unsupported(step.node, `its input ${index} is a constant`, 'Fold constants when you export the network.');
}

/** An input that must be a constant, such as weights; undefined where it is left out. */
export function optionalConstant(step: Step, index: number): Constant | undefined {
  const value = step.inputs[index];
  if (value === undefined || value.kind === 'constant') return value;
  throw unsupported(
    step.node,
    `its input ${index} depends on the network's input`,
    'Fold constants when you export the network: weights and shapes must be constants.',
  );
}

/** An input that must be there and a constant. */
export function constantInput(step: Step, index: number): Constant {
  inputOf(step, index);
  return optionalConstant(step, index)!;
}

/** Whole numbers of a constant, such as axes. */
export function integers(step: Step, { integer, name, data }: Constant): number[] {
  if (!integer) throw badNode(step.node, `whose input "${name.slice(0, 80)}" does not contain whole numbers`);
  return [...data];
}

/** One number of a constant. */
export function scalar(step: Step, { name, data }: Constant): number {
  if (data.length !== 1) throw badNode(step.node, `whose input "${name.slice(0, 80)}" is not a single number`);
  return data[0]!;
}

/**
 * Weights as float32.
 *
 * @throws CertError `bad-file` naming the constant for NaN and infinity, and for what float32 cannot hold
 */
export function weights(step: Step, { name, data, integer }: Constant): Float32Array {
  if (integer) throw badNode(step.node, `whose weights "${name.slice(0, 80)}" are whole numbers`);
  const rounded = data instanceof Float32Array ? data : Float32Array.from(data);
  const at = rounded.findIndex((value) => !Number.isFinite(value));
  if (at !== -1) throw badNode(step.node, `whose weights "${name.slice(0, 80)}" have ${data[at]} at ${at}`);
  if (rounded !== data && rounded.some((value, i) => value !== data[i])) {
    step.notes.add('Weights in float64 were rounded to float32.');
  }
  return rounded;
}

/** An axis of a shape, from 0; negative ones count from the end. */
export function axisIn(step: Step, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw badNode(step.node, `which has no axis ${axis} among ${rank}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** The same value as a vector: its model node has the shape [n], its order stays. */
export function asVector(step: Step, value: Computed): Computed {
  const shape = step.builder.shapeOf(value.node);
  if (shape.length === 1) return value;
  return { ...value, node: place(step, flatten(), [value.node]) };
}

/** The same value with elements that are in the model in the same order as in the ONNX graph. */
export function inOnnxOrder(step: Step, value: Computed): Computed {
  if (value.order === undefined) return value;
  const shape = step.builder.shapeOf(value.node);
  const perm = permutationTo(value.order, shape, (axes) => transposedOrder(shape, axes));
  if (perm !== undefined) {
    return { ...value, node: place(step, transpose(perm), [value.node]), order: undefined };
  }
  // The node may be the flattened form of a transposed one.
  const axes = value.shape.filter((length) => length > 1);
  const before = (order: readonly number[]) => order.map((axis) => axes[axis]!);
  const other = permutationTo(value.order, axes, (order) => transposedOrder(before(order), inverse(order)));
  if (other === undefined) return permuted(step, value, value.order);
  const reshaped = place(step, reshape(before(other)), [value.node]);
  return { ...value, node: place(step, transpose(inverse(other)), [reshaped]), order: undefined };
}

/** Elements up to which an order that no transposition makes is brought about by a matrix of zeros and ones. */
const MOST_PERMUTED = 2048;

/** A vector in the order of the ONNX graph: a dense layer moves its elements, which is exact. */
function permuted(step: Step, value: Computed, order: Int32Array): Computed {
  const count = order.length;
  if (count > MOST_PERMUTED) {
    throw unsupported(
      step.node,
      `its input of shape [${value.shape}] has an element order that no transposition produces`,
      'Export the network with fewer reshapes and concatenations between its layers.',
    );
  }
  const kernel = new Float32Array(count * count);
  order.forEach((position, i) => {
    kernel[position * count + i] = 1;
  });
  const node = place(step, dense(count), [asVector(step, value).node]);
  step.params[node] = {
    kernel: { shape: [count, count], data: kernel },
    bias: { shape: [count], data: new Float32Array(count) },
  };
  return { ...value, node, order: undefined };
}

/** Axes above which not all of their orders are tried. */
const MOST_AXES = 5;

function permutationTo(order: Order, shape: Shape, orderOf: (perm: readonly number[]) => Order) {
  if (shape.length > MOST_AXES) return undefined;
  return permutations(shape.length).find((perm) => sameOrder(orderOf(perm), order));
}

/** An image of the ONNX graph, [1, channels, height, width], as a node [height, width, channels] of the model. */
export function asImage(step: Step, value: Computed): Computed {
  const [channels, height, width] = imageShape(step, value);
  const wanted = [height, width, channels];
  const order = imageOrder([channels, height, width]);
  if (sameOrder(value.order, order)) {
    if (sameNumbers(step.builder.shapeOf(value.node), wanted)) return value;
    return { ...value, node: place(step, reshape(wanted), [value.node]) };
  }
  const { node } = inOnnxOrder(step, value);
  const shape = step.builder.shapeOf(node);
  const asOnnx = [channels, height, width];
  const reshaped = sameNumbers(shape, asOnnx) ? node : place(step, reshape(asOnnx), [node]);
  return { ...value, node: place(step, transpose([1, 2, 0]), [reshaped]), order };
}

/** Channels, height and width of a value [1, channels, height, width]. */
function imageShape(step: Step, { shape }: Computed): readonly [number, number, number] {
  if (shape.length !== 4) {
    throw unsupported(
      step.node,
      `its input has the shape [${shape}]`,
      'Images must have the shape [1, channels, height, width].',
    );
  }
  checkOneRow(step, shape.slice(0, 1));
  return [shape[1]!, shape[2]!, shape[3]!];
}

/** Refuses what works on several examples at once. */
export function checkOneRow(step: Step, leading: readonly number[]): void {
  if (countOf(leading) === 1) return;
  throw unsupported(
    step.node,
    `it processes ${countOf(leading)} rows at once`,
    'Only one row is supported: export the network with a batch of 1, or with a symbolic batch, and without axes of other lengths before the last one.',
  );
}

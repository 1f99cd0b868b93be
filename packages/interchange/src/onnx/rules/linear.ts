import { conv2d, dense } from '@cert/core';
import { compact } from '../../graph/windows.js';
import { badNode, unsupported } from '../attributes.js';
import { broadcastIndices, broadcastShape, countOf, imageOrder, sameNumbers, transposedOrder } from '../order.js';
import {
  asImage,
  asVector,
  checkOneRow,
  computedInput,
  inputOf,
  optionalConstant,
  place,
  type Step,
  weights,
} from '../step.js';
import type { Computed, Constant } from '../values.js';
import type { Rules } from './rule.js';
import { windowOf } from './window.js';

/** A matrix of weights: value x matrix. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Row-major. */
  readonly data: Float32Array;
}

/** Data in the order that the positions say. */
function gathered(data: Float32Array, order: Int32Array | undefined): Float32Array {
  if (order === undefined) return data;
  const out = new Float32Array(order.length);
  for (let i = 0; i < out.length; i++) out[i] = data[order[i]!]!;
  return out;
}

const transposedMatrix = ({ rows, columns, data }: Matrix): Matrix => ({
  rows: columns,
  columns: rows,
  data: gathered(data, transposedOrder([rows, columns], [1, 0])),
});

/** The last two axes of a constant as a matrix; axes before them must have the length 1. */
function matrixOf(step: Step, constant: Constant): Matrix {
  const { shape } = constant;
  if (shape.length < 2 || countOf(shape.slice(0, -2)) !== 1) {
    throw unsupported(
      step.node,
      `its weights have the shape [${shape}]`,
      'Only products with one matrix of shape [inputs, outputs] are supported.',
    );
  }
  return { rows: shape.at(-2)!, columns: shape.at(-1)!, data: weights(step, constant) };
}

/** value x matrix + bias as a dense layer. The rows of the matrix go where the elements of the value are in the model. */
function denseLayer(step: Step, value: Computed, { rows, columns, data }: Matrix, bias?: Float32Array): string {
  if (countOf(value.shape) !== rows) {
    throw badNode(step.node, `which multiplies ${countOf(value.shape)} numbers by a matrix of ${rows} rows`);
  }
  const { node, order } = asVector(step, value);
  let kernel = data;
  if (order !== undefined) {
    kernel = new Float32Array(data.length);
    order.forEach((position, row) => {
      kernel.set(data.subarray(row * columns, (row + 1) * columns), position * columns);
    });
  }
  const name = place(step, dense(columns), [node]);
  step.params[name] = {
    kernel: { shape: [rows, columns], data: kernel },
    bias: { shape: [columns], data: bias ?? new Float32Array(columns) },
  };
  if (bias === undefined) step.withoutBias.set(step.node.outputs[0]!, name);
  return name;
}

function matMul(step: Step): Computed {
  const [left, right] = [inputOf(step, 0), inputOf(step, 1)];
  if (left.kind === 'computed' && right.kind === 'computed') {
    throw unsupported(step.node, 'it multiplies two computed values', 'One factor of a product must be a constant.');
  }
  if (left.kind === 'computed') {
    const constant = right as Constant;
    // A vector on the right stands for one column, which the result does not have.
    const column = constant.shape.length === 1;
    const matrix = matrixOf(step, column ? { ...constant, shape: [...constant.shape, 1] } : constant);
    checkOneRow(step, left.shape.slice(0, -1));
    const batch = Math.max(left.shape.length, constant.shape.length) - (left.shape.length === 1 ? 2 : 1);
    const shape = [...ones(batch), ...(column ? [] : [matrix.columns])];
    return { kind: 'computed', node: denseLayer(step, left, matrix), shape, order: undefined };
  }
  const value = computedInput(step, 1);
  const row = left.shape.length === 1;
  const matrix = matrixOf(step, row ? { ...left, shape: [1, ...left.shape] } : left);
  const vector = value.shape.length === 1;
  if (!vector) checkOneRow(step, [...value.shape.slice(0, -2), value.shape.at(-1)!]);
  const batch = Math.max(value.shape.length - 2, left.shape.length - 2, 0);
  const shape = [...ones(batch), ...(row ? [] : [matrix.rows]), ...(vector ? [] : [1])];
  return { kind: 'computed', node: denseLayer(step, value, transposedMatrix(matrix)), shape, order: undefined };
}

const ones = (count: number): number[] => Array.from({ length: Math.max(0, count) }, () => 1);

function scaled(step: Step, data: Float32Array, factor: number): Float32Array {
  if (factor === 1) return data;
  const products = data.map((value) => value * factor);
  if (products.some((product, i) => product !== data[i]! * factor)) {
    step.notes.add('Weights of products with alpha or beta were multiplied by them and rounded to float32.');
  }
  return products;
}

function gemm(step: Step): Computed {
  const { attributes, node } = step;
  const [alpha, beta] = [attributes.float('alpha', 1), attributes.float('beta', 1)];
  const [left, right] = [inputOf(step, 0), inputOf(step, 1)];
  const [value, constant] = left.kind === 'computed' ? [left, right] : [computedInput(step, 1), left];
  if (constant.kind === 'computed') {
    throw unsupported(node, 'it multiplies two computed values', 'One factor of a product must be a constant.');
  }
  if (value.shape.length !== 2 || constant.shape.length !== 2) {
    throw badNode(node, `whose factors have the shapes [${left.shape}] and [${right.shape}]`);
  }
  const isLeft = value === left;
  const turned = attributes.int(isLeft ? 'transA' : 'transB', 0) !== 0;
  // What is multiplied is one row (or one column on the right): a transposed one has the same elements.
  checkOneRow(step, [value.shape[turned === isLeft ? 1 : 0]!]);
  const matrix = matrixOf(step, constant);
  const across = attributes.int(isLeft ? 'transB' : 'transA', 0) !== 0;
  const kernel = across === isLeft ? transposedMatrix(matrix) : matrix;
  const { rows, columns, data } = kernel;
  const shape = isLeft ? [1, columns] : [columns, 1];
  const product = { rows, columns, data: scaled(step, data, alpha) };
  checkFinite(step, product.data);
  const added = optionalConstant(step, 2);
  const bias = added === undefined ? undefined : scaled(step, broadcastTo(step, added, shape), beta);
  if (bias !== undefined) checkFinite(step, bias);
  return { kind: 'computed', node: denseLayer(step, value, product, bias), shape, order: undefined };
}

function checkFinite(step: Step, data: Float32Array): void {
  if (data.every(Number.isFinite)) return;
  throw badNode(step.node, 'whose scaled weights are not finite');
}

function broadcastTo(step: Step, constant: Constant, shape: readonly number[]): Float32Array {
  const reached = broadcastShape(constant.shape, shape);
  if (reached === undefined || !sameNumbers(reached, shape)) {
    throw badNode(step.node, `which adds a constant of shape [${constant.shape}] to [${shape}]`);
  }
  return gathered(weights(step, constant), broadcastIndices(constant.shape, shape));
}

function conv(step: Step): Computed {
  const { node, attributes } = step;
  const value = computedInput(step, 0);
  const constant = inputOf(step, 1);
  if (constant.kind === 'computed') {
    throw unsupported(node, 'its kernel is computed', 'The kernel of a convolution must be a constant.');
  }
  if (constant.shape.length !== 4) {
    throw unsupported(
      node,
      `its kernel has the shape [${constant.shape}]`,
      'Only convolutions of images with a kernel [filters, channels, height, width] are supported.',
    );
  }
  const [filters, channels, height, width] = constant.shape as [number, number, number, number];
  const image = asImage(step, value);
  const groups = attributes.int('group', 1);
  if (groups < 1 || image.shape[1] !== channels * groups) {
    throw badNode(node, `which has ${groups} groups of ${channels} channels for an input [${image.shape}]`);
  }
  const window = windowOf(step, [image.shape[2]!, image.shape[3]!], [height, width]);
  const options = {
    kernel: compact([height, width] as const),
    stride: compact(window.stride),
    padding: compact(window.padding),
    groups,
    ...(window.dilation.some((n) => n !== 1) && { dilation: compact(window.dilation) }),
  };
  const added = optionalConstant(step, 2);
  if (added !== undefined && !sameNumbers(added.shape, [filters])) {
    throw badNode(node, `whose bias has the shape [${added.shape}] for ${filters} filters`);
  }
  const kernel = gathered(weights(step, constant), transposedOrder(constant.shape, [2, 3, 1, 0]));
  const name = place(step, conv2d(filters, options), [image.node]);
  step.params[name] = {
    kernel: { shape: [height, width, channels, filters], data: kernel },
    bias: { shape: [filters], data: added === undefined ? new Float32Array(filters) : weights(step, added) },
  };
  if (added === undefined) step.withoutBias.set(node.outputs[0]!, name);
  return imageAt(step, name);
}

/** A node [height, width, channels] of the model as a value [1, channels, height, width]. */
export function imageAt(step: Step, node: string): Computed {
  const [height, width, channels] = step.builder.shapeOf(node) as [number, number, number];
  return {
    kind: 'computed',
    node,
    shape: [1, channels, height, width],
    order: imageOrder([channels, height, width]),
  };
}

const WINDOW = ['auto_pad', 'dilations', 'kernel_shape', 'pads', 'strides'];

/** Products with weights. */
export const linear: Rules = {
  MatMul: { attributes: [], inputs: [2, 2], apply: matMul },
  Gemm: { attributes: ['alpha', 'beta', 'transA', 'transB'], inputs: [2, 3], apply: gemm },
  Conv: { attributes: [...WINDOW, 'group'], inputs: [2, 3], apply: conv },
};

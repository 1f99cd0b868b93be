/**
 * What ops make of the values and tensors that a node reads. Ops and attributes have the names that ONNX gives them; those of checkpoints begin with a
 * small letter.
 */
import { type Bytes, floatsOf } from './bytes.js';
import * as layers from './layers.js';
import { sizeOf, type Tensor, type Value, WINDOW } from './layers.js';
import { demand } from './refused.js';

/** A tensor of a file, of float32 numbers or of whole numbers of 64 bits, such as those of a shape. */
export class Constant {
  constructor(
    readonly shape: readonly number[],
    readonly bytes: Bytes,
    readonly isFloat: boolean,
  ) {}
}

/** A number, a whole number, text, a tensor or several numbers. */
export type Attribute = { readonly float: number } | number | string | Constant | readonly number[];
export type Attributes = { readonly [name: string]: Attribute };

/** What a node reads: a value, a tensor of the file, or nothing. */
export type Input = Value | Constant | undefined;

export const isValue = (input: Input): input is Value => input !== undefined && 'layer' in input;

/** The value that a node changes. */
function valueIn([input]: readonly Input[]): Value {
  demand(isValue(input), 'the input is no value that comes before');
  return input;
}

/** The float32 tensor that a node reads. */
function floatsIn(inputs: readonly Input[], at: number): Tensor {
  const input = inputs[at];
  demand(input instanceof Constant && input.isFloat, `input ${at} is no float32 tensor of the file`);
  return { shape: input.shape, data: floatsOf(input.bytes, `input ${at}`) };
}

/** What an op computes, with the attributes that it may have and what stands for those that a node does not have. */
const rule =
  <D extends Attributes>(defaults: D, apply: (inputs: readonly Input[], attributes: D, name: string) => Input) =>
  (inputs: readonly Input[], given: Attributes, name: string): Input => {
    for (const [key, value] of Object.entries(given)) {
      demand(Object.hasOwn(defaults, key), `no rule for the attribute "${key}"`);
      demand(value.constructor === defaults[key]!.constructor, `the attribute "${key}" is of another type`);
    }
    const all = { ...defaults, ...given };
    const missing = Object.keys(all).find((key) => Number.isNaN(all[key]));
    demand(missing === undefined, `the attribute "${missing}" is missing`);
    return apply(inputs, all, name);
  };

/** scale * x + shift for each number x of a value, both from the number of a tensor on the other side. */
function elementwise(
  inputs: readonly Input[],
  scale: (constant: number) => number,
  shift: (constant: number) => number,
) {
  const at = isValue(inputs[0]) ? 1 : 0;
  const value = inputs[1 - at];
  demand(inputs.length === 2 && isValue(value) && !isValue(inputs[at]), 'no rule for values on both sides or none');
  const constants = layers.broadcast(floatsIn(inputs, at), value.shape);
  return layers.scaled(value, constants.map(scale), constants.map(shift));
}

const [zero, one, minus, itself] = [() => 0, () => 1, (c: number) => -c, (c: number) => c];
const NONE: readonly number[] = [];
/** For an attribute that a node must have. */
const MISSING = Number.NaN;
const RELU = rule({}, (inputs, _, name) => layers.relu(name, valueIn(inputs)));
const ADD = rule({}, (inputs) => {
  const [a, b] = inputs;
  return isValue(a) && isValue(b) && inputs.length === 2 ? layers.add(a, b) : elementwise(inputs, one, itself);
});
const flat = (value: Value): Value => ({ ...value, shape: [value.layer.size] });
const normalized = (inputs: readonly Input[], epsilon: number): Value => {
  const numbers = [1, 2, 3, 4].map((at) => floatsIn(inputs, at).data);
  return layers.normalized(valueIn(inputs), numbers, epsilon);
};

/** Ops of ONNX, then ops of checkpoints, which have all their attributes. */
export const RULES: { readonly [op: string]: ReturnType<typeof rule> } = {
  Relu: RELU,
  Add: ADD,
  Sub: rule({}, (inputs) =>
    isValue(inputs[0]) ? elementwise(inputs, one, minus) : elementwise(inputs, () => -1, itself),
  ),
  Mul: rule({}, (inputs) => elementwise(inputs, itself, zero)),
  Div: rule({}, (inputs) => {
    const reciprocal = (c: number) => {
      const divides = isValue(inputs[0]) && Math.abs(c) >= 2 ** -80 && Math.abs(c) <= 2 ** 80;
      demand(divides, 'the divisor is not a tensor of numbers with absolute values in [2^-80, 2^80]');
      return 1 / c;
    };
    return elementwise(inputs, reciprocal, zero);
  }),
  Constant: rule({ value: new Constant([0], new Uint8Array(), true) }, (_, { value }) => value),
  Identity: rule({}, ([input]) => input),
  Flatten: rule({ axis: 1 }, (inputs, { axis }) => {
    const value = valueIn(inputs);
    demand(Math.abs(axis) <= value.shape.length, `there is no axis ${axis}`);
    return { ...value, shape: [sizeOf(value.shape.slice(0, axis)), sizeOf(value.shape.slice(axis))] };
  }),
  Reshape: rule({ allowzero: 0 }, (inputs, { allowzero }) => {
    const [value, second] = [valueIn(inputs), inputs[1]];
    demand(second instanceof Constant && !second.isFloat, 'the shape is not in the file');
    demand(allowzero === 0, 'no rule for the attribute "allowzero"');
    const wanted = Array.from(new BigInt64Array(second.bytes.slice().buffer), Number);
    // 0 stands for the side as it is, -1 for what is left.
    const sides = wanted.map((n, axis) => (n === 0 ? value.shape[axis]! : n));
    const left = value.layer.size / sizeOf(sides.filter((n) => n !== -1));
    const shape = sides.map((n) => (n === -1 ? left : n));
    const fits = shape.every((n) => Number.isInteger(n) && n >= 1) && sizeOf(shape) === value.layer.size;
    demand(fits, `[${value.shape}] cannot be reshaped to [${wanted}]`);
    return { ...value, shape };
  }),
  MatMul: rule({}, (inputs) => layers.dense(valueIn(inputs), floatsIn(inputs, 1), false)),
  Gemm: rule({ alpha: { float: 1 }, beta: { float: 1 }, transA: 0, transB: 0 }, (inputs, attributes) => {
    const { alpha, beta, transA, transB } = attributes;
    const simple = alpha.float === 1 && beta.float === 1 && transA === 0 && (transB === 0 || transB === 1);
    demand(simple, 'no rule for the product with this alpha, beta, transA or transB');
    return layers.dense(valueIn(inputs), floatsIn(inputs, 1), transB === 1, inputs[2] && floatsIn(inputs, 2));
  }),
  Conv: rule({ ...WINDOW, group: 1 }, (inputs, { group, ...window }) => {
    const bias = inputs[2] && floatsIn(inputs, 2);
    return layers.convolution(valueIn(inputs), floatsIn(inputs, 1), bias, group, window);
  }),
  BatchNormalization: rule(
    { epsilon: { float: Math.fround(1e-5) }, momentum: { float: 0.9 }, training_mode: 0 },
    (inputs, { epsilon, training_mode }) => {
      demand(training_mode === 0, 'no rule for the mode of training');
      return normalized(inputs, epsilon.float);
    },
  ),
  AveragePool: rule({ ...WINDOW, ceil_mode: 0, count_include_pad: 0 }, (inputs, { ceil_mode, ...window }) => {
    const unpadded = ceil_mode === 0 && window.pads.every((n) => n === 0);
    demand(unpadded, 'no rule for averages over padding');
    return layers.average(valueIn(inputs), window);
  }),
  GlobalAveragePool: rule({}, (inputs) => layers.average(valueIn(inputs))),

  relu: RELU,
  add: ADD,
  flatten: rule({}, (inputs) => flat(valueIn(inputs))),
  dense: rule({}, (inputs) => layers.dense(valueIn(inputs), floatsIn(inputs, 1), false, floatsIn(inputs, 2))),
  conv2d: rule({ stride: MISSING, padding: MISSING, groups: MISSING }, (inputs, { stride, padding, groups }) => {
    const window = { ...WINDOW, strides: [stride, stride], pads: Array(4).fill(padding) };
    return layers.convolution(valueIn(inputs), floatsIn(inputs, 1), floatsIn(inputs, 2), groups, window);
  }),
  batchNorm: rule({ epsilon: MISSING, momentum: MISSING }, (inputs, { epsilon }) => normalized(inputs, epsilon)),
  affine: rule({ scale: NONE, shift: NONE }, (inputs, { scale, shift }) => {
    const value = valueIn(inputs);
    return layers.scaled(value, layers.perChannel(value, scale), layers.perChannel(value, shift));
  }),
  avgPool: rule({ size: MISSING }, (inputs, { size }) =>
    layers.average(valueIn(inputs), { ...WINDOW, kernel_shape: [size, size], strides: [size, size] }),
  ),
  globalAvgPool: rule({}, (inputs) => flat(layers.average(valueIn(inputs)))),
};

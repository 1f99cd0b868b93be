import { add, affine, type Layer, leakyRelu, type Op, relu, sigmoid, sizeOf, softmax, tanh } from '@cert/core';
import { clipped } from '../../graph/clip.js';
import { MOST_ELEMENTS } from '../../graph/limits.js';
import { badNode, unsupported } from '../attributes.js';
import { broadcastIndices, broadcastShape, countOf, sameNumbers, sameOrder } from '../order.js';
import {
  asImage,
  asVector,
  axisIn,
  computedInput,
  inOnnxOrder,
  inputOf,
  optionalConstant,
  place,
  type Step,
  scalar,
  tooLarge,
  weights,
} from '../step.js';
import { FLOAT32, FLOAT64 } from '../tensor.js';
import type { Computed, Constant, Value } from '../values.js';
import type { Rule, Rules } from './rule.js';

/** A node that works on each element alone, whatever the order. */
const each = <K extends Op>(step: Step, layer: Layer<K>, value: Computed): Computed => ({
  ...value,
  node: place(step, layer, [value.node]),
});

/** The numbers of a list as one per channel of a model's shape where they repeat, or as they are. */
function perChannel(values: readonly number[], channels: number): readonly number[] {
  return values.every((value, i) => value === values[i % channels]) ? values.slice(0, channels) : values;
}

/** A value with the numbers of a constant, one for each element of the model's node. */
interface Paired {
  /** In the shape that both broadcast to. */
  readonly value: Computed;
  /** One number per channel (the last axis of the model's node), or per element, in the order of the model. */
  readonly numbers: readonly number[];
}

function paired(step: Step, value: Computed, constant: Constant): Paired {
  const shape = broadcastShape(value.shape, constant.shape);
  if (shape === undefined) {
    throw badNode(step.node, `whose inputs of shapes [${value.shape}] and [${constant.shape}] do not fit`);
  }
  if (countOf(shape) !== countOf(value.shape)) {
    throw unsupported(
      step.node,
      `it broadcasts a computed value of shape [${value.shape}] to [${shape}]`,
      'Computed values cannot be broadcast.',
    );
  }
  const data = weights(step, constant);
  const channels = step.builder.shapeOf(value.node).at(-1)!;
  if (data.length === 1) {
    return { value: { ...value, shape }, numbers: Array.from({ length: channels }, () => data[0]!) };
  }
  const numbers = new Array<number>(countOf(shape));
  broadcastIndices(constant.shape, shape).forEach((from, i) => {
    numbers[value.order === undefined ? i : value.order[i]!] = data[from]!;
  });
  return { value: { ...value, shape }, numbers: perChannel(numbers, channels) };
}

function applyAffine(step: Step, value: Computed, scale: readonly number[], shift: readonly number[]): Computed {
  if (![...scale, ...shift].every(Number.isFinite)) throw badNode(step.node, 'whose constants are not finite');
  return each(step, affine(scale, shift), value);
}

const same = (numbers: readonly number[], value: number) => numbers.map(() => value);

/** value + numbers: the bias of the layer in front where it has none and nothing else reads it, else a node. */
function shifted(step: Step, from: string, { value, numbers }: Paired): Computed {
  const layer = step.withoutBias.get(from);
  const bias = layer === undefined ? undefined : step.params[layer]!.bias!;
  if (layer === value.node && bias !== undefined && numbers.length === sizeOf(bias.shape) && step.readers(from) === 1) {
    step.params[layer] = { ...step.params[layer]!, bias: { ...bias, data: Float32Array.from(numbers) } };
    step.withoutBias.delete(from);
    return value;
  }
  return applyAffine(step, value, same(numbers, 1), numbers);
}

/** Two values of one shape, in nodes of one shape and one order. */
function aligned(step: Step, a: Computed, b: Computed): readonly [Computed, Computed] {
  const shape = broadcastShape(a.shape, b.shape);
  if (shape === undefined) throw badNode(step.node, `whose inputs have the shapes [${a.shape}] and [${b.shape}]`);
  if (countOf(shape) !== countOf(a.shape) || countOf(shape) !== countOf(b.shape)) {
    throw unsupported(
      step.node,
      `it broadcasts computed values of shapes [${a.shape}] and [${b.shape}]`,
      'Computed values must have the same number of elements to be added.',
    );
  }
  const [left, right] = [
    { ...a, shape },
    { ...b, shape },
  ];
  const shapeOf = ({ node }: Computed) => step.builder.shapeOf(node);
  if (sameOrder(left.order, right.order)) {
    if (sameNumbers(shapeOf(left), shapeOf(right))) return [left, right];
    return [asVector(step, left), asVector(step, right)];
  }
  if (shape.length === 4 && shape[0] === 1) return [asImage(step, left), asImage(step, right)];
  return [asVector(step, inOnnxOrder(step, left)), asVector(step, inOnnxOrder(step, right))];
}

function sumOf(step: Step, a: Computed, b: Computed): Computed {
  const [left, right] = aligned(step, a, b);
  return { ...left, node: place(step, add(), [left.node, right.node]) };
}

const negated = (step: Step, value: Computed): Computed => {
  const channels = step.builder.shapeOf(value.node).at(-1)!;
  const scale = Array.from({ length: channels }, () => -1);
  return applyAffine(step, value, scale, same(scale, 0));
};

/** Rounded towards 0. Beyond 32 bits types differ in what it becomes. */
function wholeNumber(step: Step, value: number): number {
  if (value >= -(2 ** 31) && value < 2 ** 31) return Math.trunc(value);
  throw unsupported(step.node, `it makes the whole number ${value}`, 'Whole numbers of 32 bits are supported.');
}

/** What is computed of two constants, in the arithmetic of their type. */
function folded(step: Step, a: Constant, b: Constant, f: (x: number, y: number) => number): Constant {
  const shape = broadcastShape(a.shape, b.shape);
  if (shape === undefined || a.integer !== b.integer) {
    throw badNode(step.node, `whose constants of shapes [${a.shape}] and [${b.shape}] do not fit`);
  }
  if (countOf(shape) > MOST_ELEMENTS) throw tooLarge(step.node);
  const [from, to] = [broadcastIndices(a.shape, shape), broadcastIndices(b.shape, shape)];
  const single = a.data instanceof Float32Array && b.data instanceof Float32Array;
  const data = new (single ? Float32Array : Float64Array)(countOf(shape));
  for (let i = 0; i < data.length; i++) {
    const value = f(a.data[from[i]!]!, b.data[to[i]!]!);
    data[i] = a.integer ? wholeNumber(step, value) : value;
  }
  return { kind: 'constant', name: step.node.outputs[0]!, shape, integer: a.integer, data };
}

/** A rule of two inputs: both constant, one of them, or none. */
const binary = (
  constants: (x: number, y: number) => number,
  {
    right,
    left,
    both,
  }: {
    readonly right: (step: Step, value: Computed, constant: Constant) => Computed;
    readonly left: (step: Step, constant: Constant, value: Computed) => Computed;
    readonly both: (step: Step, a: Computed, b: Computed) => Computed;
  },
): Rule => ({
  attributes: [],
  inputs: [2, 2],
  apply(step) {
    const [a, b] = [inputOf(step, 0), inputOf(step, 1)];
    if (a.kind === 'constant') return b.kind === 'constant' ? folded(step, a, b, constants) : left(step, a, b);
    return b.kind === 'constant' ? right(step, a, b) : both(step, a, b);
  },
});

const product = (step: Step, value: Computed, constant: Constant): Computed => {
  const { value: wide, numbers } = paired(step, value, constant);
  return applyAffine(step, wide, numbers, same(numbers, 0));
};

const refuseBoth =
  (what: string) =>
  (step: Step): never => {
    throw unsupported(step.node, `it ${what} two computed values`, 'One of the values must be a constant.');
  };

function quotient(step: Step, value: Computed, constant: Constant): Computed {
  const { value: wide, numbers } = paired(step, value, constant);
  if (numbers.some((n) => n === 0)) throw badNode(step.node, 'which divides by 0');
  const reciprocals = numbers.map((n) => 1 / n);
  if (!reciprocals.every((n) => Number.isInteger(Math.log2(Math.abs(n))))) {
    step.notes.add('Divisions by constants were imported as products with their reciprocals, which are rounded.');
  }
  return applyAffine(step, wide, reciprocals, same(reciprocals, 0));
}

function increased(step: Step, value: Computed, constant: Constant): Computed {
  const { value: wide, numbers } = paired(step, value, constant);
  return applyAffine(step, wide, same(numbers, 1), numbers);
}

function sum(step: Step): Value {
  const values = step.inputs.map((_, i) => inputOf(step, i));
  return values.reduce((total, value) => {
    if (value.kind === 'constant') {
      return total.kind === 'constant' ? folded(step, total, value, (x, y) => x + y) : increased(step, total, value);
    }
    return total.kind === 'constant' ? increased(step, value, total) : sumOf(step, total, value);
  });
}

function leaky(step: Step): Computed {
  const slope = step.attributes.float('alpha', Math.fround(0.01));
  const value = computedInput(step, 0);
  if (slope === 0) return each(step, relu(), value);
  if (!(slope > 0 && slope < 1)) {
    throw unsupported(step.node, `its slope is ${slope}`, 'Slopes >= 0 and < 1 are supported.');
  }
  return each(step, leakyRelu(slope), value);
}

/** The largest float32: exporters write it for a limit that is none. */
const LARGEST = 3.4028234663852886e38;

/** min(max(x, low), high), see {@link clipped}. */
function clip(step: Step): Computed {
  const { attributes, opset, node } = step;
  if (opset >= 11 ? attributes.has('min') || attributes.has('max') : step.inputs.length > 1) {
    throw badNode(node, `whose limits are in the wrong place for operator set version ${opset}`);
  }
  const limit = (name: string, index: number, otherwise: number): number => {
    if (opset < 11) return attributes.float(name, otherwise);
    const given = optionalConstant(step, index);
    return given === undefined ? otherwise : scalar(step, given);
  };
  const [low, high] = [limit('min', 1, Number.NEGATIVE_INFINITY), limit('max', 2, Number.POSITIVE_INFINITY)];
  if (!(low <= high) || low === Number.POSITIVE_INFINITY || high === Number.NEGATIVE_INFINITY) {
    throw badNode(node, `whose limits are ${low} and ${high}`);
  }
  const value = computedInput(step, 0);
  const ends = [
    low > -LARGEST ? low : Number.NEGATIVE_INFINITY,
    high < LARGEST ? high : Number.POSITIVE_INFINITY,
  ] as const;
  const channels = step.builder.shapeOf(value.node).at(-1)!;
  return { ...value, node: clipped((layer, inputs) => place(step, layer, inputs), value.node, channels, ends) };
}

function cast(step: Step): Value {
  const value = inputOf(step, 0);
  const to = step.attributes.int('to', 0);
  const isFloat = to === FLOAT32 || to === FLOAT64;
  if (value.kind === 'computed') {
    if (!isFloat)
      throw unsupported(step.node, `it converts to data type ${to}`, 'Computed values must be floating-point numbers.');
    if (to === FLOAT64) step.notes.add('The network computes parts in float64; the import computes them in float32.');
    return value;
  }
  // Types of whole numbers: int32 and int64.
  if (!isFloat && to !== 6 && to !== 7) {
    throw unsupported(step.node, `it converts to data type ${to}`, 'Fold constants when you export the network.');
  }
  const data =
    to === FLOAT32
      ? Float32Array.from(value.data)
      : Float64Array.from(value.data, (x) => (isFloat || (value.integer && to === 7) ? x : wholeNumber(step, x)));
  return { ...value, integer: !isFloat, data };
}

function dropout(step: Step): Value {
  const training = optionalConstant(step, 2);
  if (training?.data.some((flag) => flag !== 0)) {
    throw unsupported(step.node, 'it is in training mode', 'Export the network for inference.');
  }
  return inputOf(step, 0);
}

function softmaxAtEnd(step: Step): Computed {
  const { node, opset, attributes } = step;
  const value = computedInput(step, 0);
  const { shape } = value;
  const axis = axisIn(step, attributes.int('axis', opset < 13 ? 1 : -1), shape.length);
  // Before version 13 all axes from this one on are one.
  const length = opset < 13 ? countOf(shape.slice(axis)) : shape[axis]!;
  if (node.outputs[0] !== step.output || length !== countOf(shape)) {
    throw unsupported(
      node,
      'it is not over all outputs at the end of the network',
      'Softmax is supported only as the last node; remove softmax in between.',
    );
  }
  const vector = asVector(step, inOnnxOrder(step, value));
  return each(step, softmax(), vector);
}

const unary = (layer: () => Layer, attributes: readonly string[] = []): Rule => ({
  attributes,
  inputs: [1, 1],
  apply: (step) => each(step, layer(), computedInput(step, 0)),
});

/** Ops that work on each element, or on two of the same place. */
export const elementwise: Rules = {
  Relu: unary(() => relu() as Layer),
  Sigmoid: unary(() => sigmoid() as Layer),
  Tanh: unary(() => tanh() as Layer),
  LeakyRelu: { attributes: ['alpha'], inputs: [1, 1], apply: leaky },
  Clip: { attributes: ['min', 'max'], inputs: [1, 3], apply: clip },
  Neg: { attributes: [], inputs: [1, 1], apply: (step) => negated(step, computedInput(step, 0)) },
  Sum: { attributes: [], inputs: [1, 1000], apply: sum },
  Softmax: { attributes: ['axis'], inputs: [1, 1], apply: softmaxAtEnd },
  Identity: { attributes: [], inputs: [1, 1], apply: (step) => inputOf(step, 0) },
  Dropout: { attributes: ['ratio', 'seed'], inputs: [1, 3], apply: dropout },
  Cast: { attributes: ['to', 'saturate'], inputs: [1, 1], apply: cast },
  Add: binary((x, y) => x + y, {
    right: (step, value, constant) => shifted(step, step.node.inputs[0]!, paired(step, value, constant)),
    left: (step, constant, value) => shifted(step, step.node.inputs[1]!, paired(step, value, constant)),
    both: sumOf,
  }),
  Sub: binary((x, y) => x - y, {
    right: (step, value, constant) => {
      const { value: wide, numbers } = paired(step, value, constant);
      return shifted(step, step.node.inputs[0]!, { value: wide, numbers: numbers.map((n) => -n) });
    },
    left: (step, constant, value) => {
      const { value: wide, numbers } = paired(step, value, constant);
      return applyAffine(step, wide, same(numbers, -1), numbers);
    },
    both: (step, a, b) => {
      const [left, right] = aligned(step, a, b);
      return { ...left, node: place(step, add(), [left.node, negated(step, right).node]) };
    },
  }),
  Mul: binary((x, y) => x * y, {
    right: product,
    left: (step, constant, value) => product(step, value, constant),
    both: refuseBoth('multiplies'),
  }),
  Div: binary((x, y) => x / y, {
    right: quotient,
    left: (step) => {
      throw unsupported(step.node, 'it divides by a computed value', 'Divisors must be constants.');
    },
    both: refuseBoth('divides'),
  }),
};

/**
 * Networks from ONNX files. The first dimension of every value counts examples and is 1; images have their channels in front of their pixels. Numbers of
 * fields are those of onnx.proto.
 */
import { type Bytes, floatsOf, sha256 } from './bytes.js';
import type { AffineLayer, Layer, Value, Window } from './layers.js';
import { affineOf, average, convolution, normalized, scaled, sizeOf, transposed } from './layers.js';
import { inputOf, layersBehind, type Network, plain, same, type Tensor } from './network.js';
import * as proto from './protobuf.js';
import { demand, Refused, within } from './refused.js';

const { integer, integers, many, message, only, text, texts } = proto;
const TENSOR = message({
  ...{ name: text(8), type: integer(2), shape: integers(1), integers: integers(7), location: integer(14) },
  ...{ bytes: proto.bytes(9), floats: proto.bytes(4), external: proto.has(13) },
});
const float = (bytes: Bytes): number => floatsOf(bytes, 'an attribute')[0]!;
const ATTRIBUTE = message({
  ...{ name: text(1), type: integer(20), float: only(many(2, float), 0), integer: integer(3), text: text(4) },
  ...{ tensor: proto.one(5, TENSOR), integers: integers(8) },
});
const NODE = message({
  ...{ op: text(4), domain: text(7), inputs: texts(1), outputs: texts(2), attributes: many(5, ATTRIBUTE) },
});
const SHAPE = message({ sides: many(1, message({ number: integer(1) })) });
const TYPE = message({ tensor: proto.one(1, message({ type: integer(1), shape: proto.one(2, SHAPE) })) });
const VALUE = message({ name: text(1), type: proto.one(2, TYPE) });
const GRAPH = message({
  ...{ nodes: many(1, NODE), tensors: many(5, TENSOR), inputs: many(11, VALUE), outputs: many(12, VALUE) },
  sparse: proto.has(15),
});
const MODEL = message({
  ...{ graph: proto.one(7, GRAPH), versions: many(8, message({ domain: text(1), version: integer(2) })) },
  functions: proto.has(25),
});

/** The two names of the operators of ONNX itself. */
const STANDARD = ['', 'ai.onnx'];

/** A tensor of the file, of float32 numbers or of whole numbers of 64 bits, such as those of a shape. */
interface Constant {
  readonly shape: readonly number[];
  readonly bytes: Bytes;
  readonly isFloat: boolean;
}

/** What a node reads: a value, a tensor of the file, or nothing. */
type Input = Value | Constant | undefined;

const isValue = (input: Input): input is Value => input !== undefined && 'layer' in input;

/** The float32 tensor that a node reads. */
function floatsIn(inputs: readonly Input[], at: number): Tensor {
  const input = inputs[at];
  demand(input !== undefined && !isValue(input) && input.isFloat, `input ${at} is no float32 tensor of the file`);
  return { shape: input.shape, data: floatsOf(input.bytes, `input ${at}`) };
}

/** Numbers are bytes of their own, or a list for the data type; a tensor that has both is refused. */
function tensorOf({ name, type, shape, ...numbers }: ReturnType<typeof TENSOR>): Constant {
  const where = `tensor "${name}"`;
  demand(type === 1 || type === 7, `${where}: the data type ${type} is neither float32 nor int64`);
  demand(numbers.location === 0 && !numbers.external, `${where}: the numbers are in another file`);
  const listed = type === 1 ? numbers.floats : [new Uint8Array(BigInt64Array.from(numbers.integers, BigInt).buffer)];
  const [bytes = new Uint8Array(), ...more] = [...numbers.bytes, ...listed.filter(({ length }) => length > 0)];
  demand(more.length === 0, `${where}: what has its numbers occurs twice`);
  const others = type === 1 ? numbers.integers : numbers.floats;
  demand(others.length === 0, `${where}: it has numbers of another type`);
  const fits = shape.every((n) => n >= 0) && bytes.length === sizeOf(shape) * (type === 1 ? 4 : 8);
  demand(fits, `${where}: ${bytes.length} bytes do not fit the shape [${shape}]`);
  return { shape, bytes, isFloat: type === 1 };
}

/** @throws Refused for all that is not a complete network of known ops */
export async function readOnnx(bytes: Bytes): Promise<Network> {
  const { graph, versions, functions } = MODEL(bytes);
  const [own, ...others] = versions.filter(({ domain }) => STANDARD.includes(domain));
  demand(others.length === 0, 'the version of the ONNX operators occurs twice');
  const version = own?.version ?? 0;
  demand(version >= 7 && version <= 25, `version ${version} of the ONNX operators is not read, only 7 to 25`);
  // They may give ops of the standard another meaning.
  demand(!functions, 'the network file has functions of its own');
  demand(!graph.sparse, 'the network file has sparse tensors');
  const known = new Map<string, Value | Constant>();
  const tensors = new Map<string, string>();
  for (const stored of graph.tensors) {
    const [name, tensor] = [stored.name, tensorOf(stored)];
    demand(name !== '' && !known.has(name), `a tensor has no name, or two are named "${name}"`);
    known.set(name, tensor);
    tensors.set(name, await sha256(tensor.bytes));
  }

  const [input, ...more] = graph.inputs.filter(({ name }) => !known.has(name));
  demand(input !== undefined && more.length === 0, 'the network does not have one input');
  const { type, shape } = input.type.tensor;
  demand(type === 1, 'the input of the network is not float32');
  const [examples, ...inputShape] = shape.sides.map(({ number }) => number);
  // A first dimension without a number stands for any number of examples.
  demand((examples === 0 || examples === 1) && inputShape.length >= 1, 'the first dimension of the input is not 1');
  const positive = inputShape.every((n) => n >= 1);
  demand(positive, `the input has the shape [${inputShape}]`);
  known.set(input.name, shaped(inputOf(inputShape), [1, ...inputShape]));

  for (const { op, domain, inputs, outputs, attributes } of graph.nodes) {
    const [name = '', ...others] = outputs;
    within(`node "${name}" (${op})`, () => {
      demand(name !== '' && others.length === 0, 'the node does not have one output');
      demand(!known.has(name), 'another value has this name');
      demand(STANDARD.includes(domain), 'the op is not one of ONNX itself');
      const read = inputs.map((each) => {
        demand(each === '' || known.has(each), `the input "${each}" does not come before the node`);
        return known.get(each);
      });
      const { left, ...readers } = attributesOf(attributes);
      known.set(name, compute(op, name, read, readers));
      demand(left.size === 0, `no rule for the attribute "${[...left.keys()].join()}"`);
    });
  }
  const [output, ...rest] = graph.outputs;
  const logits = known.get(output?.name ?? '');
  demand(isValue(logits) && rest.length === 0, 'the network does not have one output');
  const classes = logits.layer.size;
  demand(classes >= 2 && logits.shape.at(-1) === classes, `the output has the shape [${logits.shape}], no logits`);
  return { inputShape, classes, layers: layersBehind(logits.layer), tensors };
}

/** An image has four dimensions, the first 1; all else is a vector. */
function shaped(layer: Layer, shape: readonly number[]): Value {
  const [one, ...sides] = shape;
  const image = sides.length === 3 && one === 1 ? sides : [layer.size, 1, 1];
  const [channels, height, width] = image as [number, number, number];
  return { layer, shape, grid: { height, width, channels, channelsLast: false } };
}

/** The number of a tensor for each place of a value, by the rules of ONNX; the tensor must not be larger than the value. */
function broadcast({ shape, data }: Tensor, to: readonly number[]): Float64Array {
  const sides = [...to.map(() => 1), ...shape].slice(-to.length);
  const fits = shape.length <= to.length && sides.every((n, axis) => n === 1 || n === to[axis]);
  demand(fits, `a tensor of the shape [${shape}] does not fit [${to}]`);
  const stepsIn = (shape: readonly number[]) => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const [steps, own] = [stepsIn(to), stepsIn(sides)];
  const at = (i: number) => sides.reduce((sum, n, axis) => sum + (Math.floor(i / steps[axis]!) % n) * own[axis]!, 0);
  return Float64Array.from({ length: sizeOf(to) }, (_, i) => data[at(i)]!);
}

/** The attributes of a node, `none` for one that is not there. Those that are `left` were not read: there is no rule for them. */
function attributesOf(all: readonly ReturnType<typeof ATTRIBUTE>[]) {
  const left = new Map(all.map((attribute) => [attribute.name, attribute]));
  demand(left.size === all.length, 'an attribute occurs twice');
  const take = (name: string, type: number) => {
    const attribute = left.get(name);
    left.delete(name);
    demand(attribute === undefined || attribute.type === type, `the attribute "${name}" is of another type`);
    return attribute;
  };
  return {
    left,
    float: (name: string, none: number) => take(name, 1)?.float ?? none,
    integer: (name: string, none: number) => take(name, 2)?.integer ?? none,
    text: (name: string, none: string) => take(name, 3)?.text ?? none,
    tensor: (name: string) => take(name, 4)?.tensor ?? TENSOR(new Uint8Array()),
    integers: (name: string, none: readonly number[]) => take(name, 7)?.integers ?? none,
  };
}

type Attributes = Omit<ReturnType<typeof attributesOf>, 'left'>;

/** How a window of some size moves. */
function windowOf(
  size: readonly number[],
  { text, integers }: Attributes,
): Window & { readonly size: readonly number[] } {
  const given = text('auto_pad', 'NOTSET') === 'NOTSET' && same(integers('kernel_shape', size), size);
  demand(given, 'the window is not given by its numbers');
  const [stride, dilation] = [integers('strides', [1, 1]), integers('dilations', [1, 1])];
  return { size, stride, dilation, padding: integers('pads', [0, 0, 0, 0]) };
}

/** scale * x + shift with one number for each number of the value; an image whose channels have one each stays an image. */
function eachScaled(value: Value, scale: Float64Array, shift: Float64Array): Value {
  const pixels = value.grid.height * value.grid.width;
  const byChannel = [scale, shift].every((all) => all.every((n, i) => n === all[i - (i % pixels)]));
  const each = (all: Float64Array) => (byChannel ? all.filter((_, i) => i % pixels === 0) : all);
  const image = byChannel ? value : shaped(value.layer, [value.layer.size]);
  return shaped(scaled(affineOf(image), each(scale), each(shift)), value.shape);
}

/** The ops of two inputs that work number by number. */
function elementwise(op: string, name: string, inputs: readonly Input[]): Value {
  demand(inputs.length === 2, `there are ${inputs.length} inputs instead of 2`);
  if (inputs.every(isValue)) {
    demand(op === 'Add', 'no rule for values on both sides');
    return shaped(plain('add', name, inputs), inputs[0]!.shape);
  }
  const at = isValue(inputs[0]) ? 1 : 0;
  const value = inputs[1 - at];
  demand(isValue(value), 'no input is a value that comes before');
  const constant = broadcast(floatsIn(inputs, at), value.shape);
  const all = (number: number) => constant.map(() => number);
  const [negative, inverse] = [constant.map((c) => -c), constant.map((c) => 1 / c)];
  if (op === 'Add') return eachScaled(value, all(1), constant);
  if (op === 'Mul') return eachScaled(value, constant, all(0));
  if (op === 'Sub') return at === 0 ? eachScaled(value, all(-1), constant) : eachScaled(value, all(1), negative);
  const divides = at === 1 && constant.every((c) => Math.abs(c) >= 2 ** -80 && Math.abs(c) <= 2 ** 80);
  demand(divides, 'the divisor is not a tensor of numbers with absolute values in [2^-80, 2^80]');
  return eachScaled(value, inverse, all(0));
}

/** What a node computes. */
function compute(op: string, name: string, inputs: readonly Input[], attributes: Attributes): Value | Constant {
  const { integer, integers, float } = attributes;
  const [input, second] = inputs;
  if (['Add', 'Sub', 'Mul', 'Div'].includes(op)) return elementwise(op, name, inputs);
  if (op === 'Constant') return tensorOf(attributes.tensor('value'));
  demand(input !== undefined, 'the node has no input');
  if (op === 'Identity') return input;
  demand(isValue(input), 'the input is a tensor of the file');
  const { layer, shape, grid } = input;
  const asImage = (made: AffineLayer): Value => {
    demand(shape.length === 4 && shape[0] === 1, `the input [${shape}] is not one image`);
    return shaped(made, [1, made.to.channels, made.to.height, made.to.width]);
  };
  switch (op) {
    case 'Relu':
      return shaped(plain('relu', name, [input]), shape);
    case 'Flatten': {
      const axis = integer('axis', 1);
      demand(Math.abs(axis) <= shape.length, `there is no axis ${axis}`);
      return shaped(layer, [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))]);
    }
    case 'Reshape': {
      demand(second !== undefined && !isValue(second) && !second.isFloat, 'the shape is not in the file');
      demand(integer('allowzero', 0) === 0, 'no rule for the attribute "allowzero"');
      const wanted = [...new BigInt64Array(second.bytes.slice().buffer)].map(Number);
      // 0 stands for the side as it is, -1 for what is left.
      const sides = wanted.map((n, axis) => (n === 0 ? shape[axis]! : n));
      const left = layer.size / sizeOf(sides.filter((n) => n !== -1));
      const made = sides.map((n) => (n === -1 ? left : n));
      const fits = made.every((n) => Number.isInteger(n) && n >= 1) && sizeOf(made) === layer.size;
      demand(fits, `[${shape}] cannot be reshaped to [${wanted}]`);
      return shaped(layer, made);
    }
    case 'MatMul':
    case 'Gemm': {
      const [transA, transB] = [integer('transA', 0), integer('transB', 0)];
      const simple =
        transA === 0 && (transB === 0 || transB === 1) && float('alpha', 1) === 1 && float('beta', 1) === 1;
      const { shape: sides, data } = floatsIn(inputs, 1);
      const [rows, columns] = (transB === 1 ? sides.toReversed() : sides) as [number, number];
      const fits = sides.length === 2 && rows === layer.size && shape.at(-1) === rows;
      demand(simple && fits, `no rule for the product of [${shape}] and [${sides}]`);
      const made = [...shape.slice(0, -1), columns];
      const bias = inputs[2] === undefined ? new Float32Array(columns) : broadcast(floatsIn(inputs, 2), made);
      const kernel = transB === 1 ? data : transposed(data, columns);
      return shaped(convolution(shaped(layer, [rows]), {}, kernel, 1, bias), made);
    }
    case 'Conv': {
      const { shape: sides, data } = floatsIn(inputs, 1);
      const [filters, , ...size] = sides as [number, number, number, number];
      const bias = inputs[2] === undefined ? new Float32Array(filters) : floatsIn(inputs, 2).data;
      demand(bias.length === filters, `there are ${filters} filters and ${bias.length} biases`);
      return asImage(convolution(input, windowOf(size, attributes), data, integer('group', 1), bias));
    }
    case 'BatchNormalization': {
      float('momentum', 0.9);
      demand(integer('training_mode', 0) === 0, 'no rule for the mode of training');
      const numbers = [1, 2, 3, 4].map((at) => floatsIn(inputs, at).data);
      return shaped(normalized(input, numbers, float('epsilon', Math.fround(1e-5))), shape);
    }
    case 'AveragePool': {
      const window = windowOf(integers('kernel_shape', []), attributes);
      integer('count_include_pad', 0);
      const padded = integer('ceil_mode', 0) !== 0 || window.padding?.some((n) => n !== 0);
      demand(!padded, 'no rule for averages over padding');
      return asImage(average(input, window));
    }
    case 'GlobalAveragePool':
      return asImage(average(input, { size: [grid.height, grid.width] }));
    default:
      throw new Refused('no rule for this op');
  }
}

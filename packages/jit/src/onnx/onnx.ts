/** Writes a graph as an ONNX model. One table, primitive -> ONNX nodes. */
import { CertError, sizeOf } from '@cert/core';
import onnxProto from 'onnx-proto';
import type { DType, HostArray } from '../devices/device.js';
import {
  type Binary,
  type Geometry,
  type Graph,
  type Primitive,
  type Reduction,
  sameShape,
  type Unary,
  type Value,
  type ValueOf,
} from '../graph/ir.js';
import { CPU, type Dialect, Emitter, Float32, TYPE } from './emitter.js';
import { fileOrder } from './order.js';
import { type Parts, wholes } from './wholes.js';

const { onnx } = onnxProto;
const OPSET = 18;

const UNARY: { readonly [F in Unary]: string } = {
  neg: 'Neg',
  abs: 'Abs',
  sign: 'Sign',
  exp: 'Exp',
  log: 'Log',
  sqrt: 'Sqrt',
  reciprocal: 'Reciprocal',
  relu: 'Relu',
  sigmoid: 'Sigmoid',
  tanh: 'Tanh',
  erf: 'Erf',
  floor: 'Floor',
  ceil: 'Ceil',
  round: 'Round',
  sin: 'Sin',
  cos: 'Cos',
  tan: 'Tan',
  asin: 'Asin',
  acos: 'Acos',
  atan: 'Atan',
  sinh: 'Sinh',
  cosh: 'Cosh',
  asinh: 'Asinh',
  acosh: 'Acosh',
  atanh: 'Atanh',
  softplus: 'Softplus',
  not: 'Not',
  isNaN: 'IsNaN',
  isInf: 'IsInf',
};

const BINARY: { readonly [F in Binary]: string } = {
  add: 'Add',
  sub: 'Sub',
  mul: 'Mul',
  div: 'Div',
  max: 'Max',
  min: 'Min',
  pow: 'Pow',
  eq: 'Equal',
  lt: 'Less',
  le: 'LessOrEqual',
  gt: 'Greater',
  ge: 'GreaterOrEqual',
  and: 'And',
  or: 'Or',
  xor: 'Xor',
};

const REDUCTION: { readonly [F in Reduction]: string } = {
  sum: 'ReduceSum',
  sumSquare: 'ReduceSumSquare',
  mean: 'ReduceMean',
  max: 'ReduceMax',
  min: 'ReduceMin',
  prod: 'ReduceProd',
};

type Emit<P extends Primitive> = (e: Emitter, value: ValueOf<P>, x: string, y: string, z: string) => string;

/** ONNX Runtime's own operators for images in blocks of channels. Their shapes are written as if the blocks were not there. */
const BLOCKED = 'com.microsoft.nchwc';

const windows = ({ strides, pads, dilations, groups }: Geometry) => ({ strides, pads, dilations, group: groups });

/** Primitive -> the name of the ONNX value that holds its result. `x`, `y`, `z` are the operands. */
const EMIT: { readonly [P in Exclude<Primitive, 'input' | 'convFilterGrad'>]: Emit<P> } = {
  const: (e, { data, shape, dtype }) => e.constant(data!, shape, dtype),
  unary(e, { attrs: { f }, dtype }, x) {
    if (f === 'relu' && dtype === 'int32') return e.node('Max', [x, e.constant(Int32Array.of(0), [], 'int32')]);
    // Relu picks 0 for NaN. LeakyRelu picks x or slope * x, both NaN.
    if (f === 'relu' && e.dialect.losesNaN.has('relu')) return e.node('LeakyRelu', [x], { alpha: new Float32(0) });
    if (f === 'sign' && e.dialect.lacks.has('Sign')) {
      const zero = e.constant(hostScalar(0, dtype), [], dtype);
      const is = (op: string) => e.node('Cast', [e.node(op, [x, zero])], { to: TYPE[dtype] });
      return e.node('Sub', [is('Greater'), is('Less')]);
    }
    return e.keepNaN(f, e.node(UNARY[f], [x]), x);
  },
  binary(e, { attrs: { f }, dtype, shape, inputs }, x, y) {
    if (f === 'or') return e.or(x, y);
    if (f === 'pow' && dtype === 'int32' && e.dialect.lacks.has('integer Pow')) throw noIntegerPower();
    if (f === 'pow' && e.dialect.lacks.has('broadcasting Pow')) {
      const full = (name: string, operand: Value) =>
        sameShape(operand.shape, shape) ? name : e.node('Expand', [name, e.ints(shape)]);
      return e.node('Pow', [full(x, inputs[0]!), full(y, inputs[1]!)]);
    }
    return e.node(BINARY[f], [x, y]);
  },
  cast: (e, { dtype }, x) => e.node('Cast', [x], { to: TYPE[dtype] }),
  where(e, { dtype }, condition, a, b) {
    if (dtype !== 'bool') return e.node('Where', [condition, a, b]);
    const yes = e.node('And', [condition, a]);
    return e.or(yes, e.node('And', [e.node('Not', [condition]), b]));
  },
  reduce: (e, { attrs: { f, axes, keepDims } }, x) =>
    e.node(REDUCTION[f], [x, e.ints(axes)], { keepdims: keepDims ? 1 : 0 }),
  arg: (e, { attrs: { f, axis } }, x) =>
    e.node('Cast', [e.node(f === 'max' ? 'ArgMax' : 'ArgMin', [x], { axis, keepdims: 0 })], { to: TYPE.int32 }),
  reshape: (e, { shape }, x) => e.node('Reshape', [x, e.ints(shape)], { allowzero: 1 }),
  expand: (e, { shape }, x) => e.node('Expand', [x, e.ints(shape)]),
  transpose: (e, { attrs: { perm } }, x) => e.node('Transpose', [x], { perm }),
  slice: (e, { attrs: { begin, end, steps } }, x) =>
    e.node('Slice', [x, e.ints(begin), e.ints(end), e.ints(begin.map((_, i) => i)), e.ints(steps)]),
  pad: (e, { attrs: { before, after, value, mode }, dtype }, x) =>
    mode === 'reflect'
      ? e.node('Pad', [x, e.ints([...before, ...after])], { mode })
      : e.node('Pad', [x, e.ints([...before, ...after]), e.constant(hostScalar(value, dtype), [], dtype)]),
  concat: (e, { attrs: { axis }, inputs }) =>
    e.node(
      'Concat',
      inputs.map((v) => e.name(v)),
      { axis },
    ),
  gather: (e, { attrs: { axis } }, x, indices) => e.node('Gather', [x, indices], { axis }),
  cumsum: (e, { attrs: { axis, exclusive, reverse } }, x) =>
    e.node('CumSum', [x, e.ints([axis])], { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 }),
  softmax: (e, _, x) => e.keepNaN('softmax', e.node('Softmax', [x], { axis: -1 }), x),
  matmul(e, { attrs: { transA, transB }, shape, inputs: [left, right] }, a, b) {
    if (!transA && !transB) return e.node('MatMul', [a, b]);
    const flags = { transA: transA ? 1 : 0, transB: transB ? 1 : 0 };
    if (shape.length === 2) return e.node('Gemm', [a, b], flags);
    if (!e.dialect.lacks.has('FusedMatMul')) return e.node('FusedMatMul', [a, b], flags, 'com.microsoft');
    const turned = (name: string, { shape: { length } }: Value) =>
      e.node('Transpose', [name], { perm: [...Array(length - 2).keys(), length - 1, length - 2] });
    return e.node('MatMul', [transA ? turned(a, left!) : a, transB ? turned(b, right!) : b]);
  },
  conv: (e, { attrs }, x, w, bias) => e.node('Conv', bias === '' ? [x, w] : [x, w, bias], windows(attrs)),
  convInputGrad(e, { attrs, shape, inputs: [dy, w] }, gradient, weight) {
    const { strides, pads, dilations } = attrs;
    const outputPadding = ([0, 1] as const).map((i) => {
      const reached =
        (dy!.shape[2 + i]! - 1) * strides[i] + dilations[i] * (w!.shape[2 + i]! - 1) + 1 - pads[i] - pads[i + 2]!;
      return shape[2 + i]! - reached;
    });
    return e.node('ConvTranspose', [gradient, weight], { ...windows(attrs), output_padding: outputPadding });
  },
  block(e, { attrs: { from }, shape, dtype }, x) {
    const [n, groups, h, w, size] = shape as [number, number, number, number, number];
    if (from === 'channelsLast' && groups === 1) return e.node('Reshape', [x, e.ints(shape)]);
    if (dtype === 'float32') {
      const attrs = { channels_last: from === 'channelsLast' ? 1 : 0 };
      return e.node('Reshape', [e.node('ReorderInput', [x], attrs, BLOCKED), e.ints(shape)]);
    }
    return from === 'channelsLast'
      ? e.node('Transpose', [e.node('Reshape', [x, e.ints([n, h, w, groups, size])])], { perm: [0, 3, 1, 2, 4] })
      : e.node('Transpose', [e.node('Reshape', [x, e.ints([n, groups, size, h, w])])], { perm: [0, 1, 3, 4, 2] });
  },
  unblock(e, { attrs: { to }, inputs: [image], shape, dtype }, x) {
    const plain = plainShape(image!.shape);
    const last = to === 'channelsLast';
    if (last && image!.shape[1] === 1) return e.node('Reshape', [x, e.ints(shape)]);
    if (dtype === 'float32') {
      const attrs = { channels: plain[1]!, channels_last: last ? 1 : 0 };
      return e.node('ReorderOutput', [e.node('Reshape', [x, e.ints(plain)])], attrs, BLOCKED);
    }
    const moved = e.node('Transpose', [x], { perm: last ? [0, 2, 3, 1, 4] : [0, 1, 4, 2, 3] });
    return e.node('Reshape', [moved, e.ints(shape)]);
  },
  blockedConv(e, { attrs, inputs, shape }, image, filter, bias) {
    const [x, w] = inputs as [Value, Value];
    const plain = (value: Value) => e.node('Reshape', [e.name(value), e.ints(plainShape(value.shape))]);
    const images = x.shape.length === 5 ? plain(x) : image;
    const [kh, kw] = [w.shape[2]!, w.shape[3]!];
    const channels = w.shape.length === 6 ? w.shape[1]! * w.shape[4]! : w.shape[1]!;
    const filters = e.node('Reshape', [filter, e.ints([w.shape[0]! * w.shape.at(-1)!, channels, kh, kw])]);
    const result = e.node(
      'Conv',
      [images, filters, ...(bias === '' ? [] : [bias]), ...(inputs[3] ? [plain(inputs[3])] : [])],
      { ...windows(attrs), kernel_shape: [kh, kw], ...(attrs.relu && { activation: 'Relu' }) },
      BLOCKED,
    );
    return e.node('Reshape', [result, e.ints(shape)]);
  },
  pool: (e, { attrs: { f, window, strides, pads } }, x) =>
    e.node(f === 'avg' ? 'AveragePool' : 'MaxPool', [x], { kernel_shape: window, strides, pads }),
};

/** A blocked shape [n, groups, h, w, size] as ONNX Runtime writes it: [n, channels, h, w]. */
const plainShape = ([n, groups, h, w, size]: readonly number[]): number[] => [n!, groups! * size!, h!, w!];

const noIntegerPower = (): CertError =>
  new CertError(
    'unsupported-kernel',
    'The TensorFlow.js kernel "Pow" cannot be compiled for integers on this device.',
    "Cast to float32 first: tf.pow(tf.cast(x, 'float32'), y).",
  );

const hostScalar = (value: number, dtype: DType): HostArray =>
  dtype === 'float32' ? Float32Array.of(value) : dtype === 'int32' ? Int32Array.of(value) : Uint8Array.of(value);

/** The names by which a session feeds input i and fetches output i. */
export const inputName = (i: number): string => `in${i}`;
export const outputName = (i: number): string => `out${i}`;

/** The name of the output that {@link toOnnx} puts in front of all others if asked to: an empty sequence. */
export const EMPTY = 'empty';

/**
 * An ONNX model (opset 18, plus `FusedMatMul` of ONNX Runtime) that computes the graph's outputs from its inputs.
 *
 * @param options `empty`: put the output {@link EMPTY} in front
 */
export function toOnnx(
  graph: Graph,
  dialect: Dialect = CPU,
  { empty = false }: { readonly empty?: boolean } = {},
): Uint8Array {
  const e = new Emitter(dialect);
  if (empty) e.node('SequenceEmpty', [], {}, '', EMPTY);
  const order = fileOrder(graph);
  const parts = dialect.splitsInto === undefined ? new Map<Value, Parts>() : wholes(order, dialect.splitsInto);
  for (const value of order) {
    if (value.op === 'input') {
      e.bind(value, inputName(value.attrs.index));
      continue;
    }
    // Nothing is computed for an empty result; not every kernel of every provider takes empty tensors.
    if (sizeOf(value.shape) === 0) {
      e.bind(value, e.constant(new Uint8Array(0), value.shape, value.dtype));
      continue;
    }
    e.site = value.site ?? '';
    const together = parts.get(value);
    if (together !== undefined) {
      const { slices, axis } = together;
      const sizes = slices.map(({ shape }) => shape[axis]!);
      for (const [i, name] of e.split(e.name(value.inputs[0]!), sizes, axis).entries()) e.bind(slices[i]!, name);
      for (const slice of slices) parts.delete(slice);
      continue;
    }
    if (e.has(value)) continue;
    const emit = EMIT[value.op as keyof typeof EMIT] as Emit<Primitive> | undefined;
    if (emit === undefined) throw new Error(`The primitive "${value.op}" must be rewritten by a pass before emission.`);
    const [x = '', y = '', z = ''] = value.inputs.map((operand) => e.name(operand));
    e.bind(value, emit(e, value, x, y, z));
  }
  const output = graph.outputs.map((value, i) => {
    e.output(value, outputName(i));
    return info(outputName(i), value);
  });
  const model = onnx.ModelProto.create({
    irVersion: 8,
    producerName: 'cert',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
      ...(e.nodes.some(({ domain }) => domain === BLOCKED) ? [{ domain: BLOCKED, version: 1 }] : []),
    ],
    graph: {
      name: 'cert',
      node: e.nodes,
      initializer: e.initializers,
      input: graph.inputs.map((value, i) => info(inputName(i), value)),
      output: empty ? [EMPTY_INFO, ...output] : output,
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

const EMPTY_INFO = {
  name: EMPTY,
  type: { sequenceType: { elemType: { tensorType: { elemType: TYPE.float32 } } } },
};

const info = (name: string, { shape, dtype }: Value) => ({
  name,
  type: { tensorType: { elemType: TYPE[dtype], shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
});

/** A model that copies a tensor of any shape, to check that a provider is there and to move tensors to a GPU and back. */
export function identityModel(dtype: DType): Uint8Array {
  const any = (name: string) => ({ name, type: { tensorType: { elemType: TYPE[dtype] } } });
  const [input, output] = [inputName(0), outputName(0)];
  const node = onnx.NodeProto.create({ opType: 'Identity', input: [input], output: [output], name: output });
  const graph = { name: 'copy', node: [node], input: [any(input)], output: [any(output)] };
  const model = onnx.ModelProto.create({
    irVersion: 8,
    producerName: 'cert',
    opsetImport: [{ domain: '', version: OPSET }],
    graph,
  });
  return onnx.ModelProto.encode(model).finish();
}

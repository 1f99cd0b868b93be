import {
  createRng,
  sizeOf,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tf,
} from '@cert/core';
import { afterAll, describe, expect, it } from 'vitest';
import { openTestDevice } from '../../test/test-device.js';
import { eagerDevice } from '../devices/eager.js';
import { type Device, type HostArray, readTree } from '../index.js';
import { LOWERINGS } from './index.js';

/** One way to reach a kernel: a function of tensors, and the values that it gets. */
interface Case {
  readonly f: (...xs: Tensor[]) => Tensor | Tensor[];
  readonly inputs: readonly HostInput[];
  /** Whether TensorFlow.js has a gradient for it; default true. */
  readonly grad?: boolean;
}

interface HostInput {
  readonly values: HostArray;
  readonly shape: readonly number[];
}

const rng = createRng(7, 'kernels');
const normal = (...shape: number[]): HostInput => ({
  values: Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  shape,
});
/** Values in (low, high), away from the ends. */
const between = (low: number, high: number, ...shape: number[]): HostInput => ({
  values: Float32Array.from({ length: sizeOf(shape) }, () => low + (high - low) * (0.05 + 0.9 * rng.uniform())),
  shape,
});
const floats = (...values: number[]): HostInput => ({ values: Float32Array.from(values), shape: [values.length] });
const ints = (...values: number[]): HostInput => ({ values: Int32Array.from(values), shape: [values.length] });
const bools = (...values: number[]): HostInput => ({ values: Uint8Array.from(values), shape: [values.length] });

const unary = (f: (x: Tensor) => Tensor, input = normal(3, 4), grad = true): Case => ({
  f: (x) => f(x!),
  inputs: [input],
  grad,
});
/** Broadcasting both ways is part of every elementwise kernel. */
const binary = (f: (a: Tensor, b: Tensor) => Tensor, grad = true, make = normal): Case => ({
  f: (a, b) => f(a!, b!),
  inputs: [make(3, 1, 4), make(2, 1)],
  grad,
});
/** For the kernels whose gradient TensorFlow.js gets wrong when it broadcasts. */
const sameShape = (f: (a: Tensor, b: Tensor) => Tensor): Case => ({
  f: (a, b) => f(a!, b!),
  inputs: [normal(3, 4), normal(3, 4)],
});
const positive = (...shape: number[]) => between(0.2, 2, ...shape);
const special = floats(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1.5, 2);

/** Padding that differs from side to side. */
const uneven: [[number, number], [number, number], [number, number], [number, number]] = [
  [0, 0],
  [1, 0],
  [0, 2],
  [0, 0],
];

const CASES: { readonly [kernel: string]: Case | readonly Case[] } = {
  Abs: unary(tf.abs),
  Acos: unary(tf.acos, between(-1, 1, 5)),
  Acosh: unary(tf.acosh, between(1.2, 3, 5)),
  Add: binary(tf.add),
  AddN: { f: (a, b, c) => tf.addN([a!, b!, c!]), inputs: [normal(2, 3), normal(2, 3), normal(2, 3)] },
  All: { f: (x) => tf.all(x!, 0), inputs: [{ values: Uint8Array.of(1, 0, 1, 1), shape: [2, 2] }], grad: false },
  Any: { f: (x) => tf.any(x!, 1, true), inputs: [{ values: Uint8Array.of(0, 0, 1, 0), shape: [2, 2] }], grad: false },
  ArgMax: unary((x) => tf.argMax(x, 1), normal(3, 5), false),
  ArgMin: unary((x) => tf.argMin(x, 0), normal(3, 5), false),
  Asin: unary(tf.asin, between(-1, 1, 5)),
  Asinh: unary(tf.asinh),
  Atan: unary(tf.atan),
  Atanh: unary(tf.atanh, between(-0.9, 0.9, 5)),
  AvgPool: [
    unary((x) => tf.avgPool(x as Tensor4D, 2, 2, 'valid'), normal(2, 5, 4, 3)),
    unary((x) => tf.avgPool(x as Tensor4D, 3, 1, 'same'), normal(2, 5, 4, 3), false),
  ],
  AvgPoolGrad: unary((x) => tf.avgPool(x as Tensor4D, [2, 3], [2, 1], 'valid'), normal(2, 6, 5, 2)),
  BatchMatMul: [
    { f: (a, b) => tf.matMul(a as Tensor2D, b as Tensor2D), inputs: [normal(3, 4), normal(4, 5)] },
    { f: (a, b) => tf.matMul(a as Tensor2D, b as Tensor2D, true, true), inputs: [normal(4, 3), normal(5, 4)] },
    { f: (a, b) => tf.matMul(a as Tensor3D, b as Tensor3D, false, true), inputs: [normal(2, 3, 4), normal(2, 5, 4)] },
    { f: (a, b) => tf.matMul(a as Tensor3D, b as Tensor3D, true, false), inputs: [normal(2, 4, 3), normal(2, 4, 5)] },
    { f: (a, b) => tf.matMul(a as Tensor3D, b as Tensor3D), inputs: [normal(1, 3, 4), normal(2, 4, 5)], grad: false },
  ],
  BroadcastTo: unary((x) => tf.broadcastTo(x, [2, 3, 4]), normal(3, 1)),
  Cast: [
    unary((x) => tf.cast(x, 'int32'), floats(-1.7, 1.7, 0.2), false),
    unary((x) => tf.cast(x, 'bool'), floats(-1.7, 0, 0.2), false),
    unary((x) => tf.cast(x, 'float32'), ints(3, -2), false),
    unary((x) => tf.cast(tf.cast(x, 'bool'), 'float32'), floats(0, 3, -1), false),
  ],
  Ceil: unary(tf.ceil),
  ClipByValue: unary((x) => tf.clipByValue(x, -0.5, 0.7)),
  Concat: [
    { f: (a, b) => tf.concat([a!, b!], 1), inputs: [normal(2, 3), normal(2, 1)] },
    { f: (a, b) => tf.concat([a!, b!], -2), inputs: [normal(1, 3), normal(2, 3)] },
  ],
  Conv2D: [
    { f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 1, 1), inputs: [normal(2, 5, 6, 3), normal(3, 3, 3, 4)] },
    { f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 2, 1), inputs: [normal(2, 7, 6, 2), normal(3, 3, 2, 3)] },
    {
      f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, [2, 1], 'same'),
      inputs: [normal(1, 6, 5, 2), normal(2, 3, 2, 2)],
    },
    {
      f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 1, 'valid'),
      inputs: [normal(2, 5, 5, 1), normal(5, 5, 1, 2)],
    },
    {
      f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 1, 'valid', 'NHWC', 2),
      inputs: [normal(1, 7, 7, 2), normal(3, 3, 2, 2)],
      grad: false,
    },
    { f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 2, 0), inputs: [normal(2, 8, 8, 2), normal(1, 1, 2, 3)] },
    { f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 3, 0), inputs: [normal(1, 8, 8, 2), normal(2, 2, 2, 3)] },
    {
      f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, [2, 1], uneven),
      inputs: [between(-0.1, 0.1, 2, 6, 5, 2), between(-0.1, 0.1, 3, 2, 2, 3)],
    },
    // Channels that are stored in blocks; small numbers, as sums of many cancel.
    {
      f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, [1, 2], uneven),
      inputs: [between(-0.02, 0.02, 2, 5, 6, 16), between(-0.02, 0.02, 2, 3, 16, 32)],
    },
    {
      f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 1, uneven),
      inputs: [between(-0.02, 0.02, 2, 5, 6, 16), between(-0.02, 0.02, 2, 3, 16, 16)],
    },
  ],
  Conv2DBackpropFilter: {
    f: (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 3, 2),
    inputs: [normal(1, 8, 9, 1), normal(4, 4, 1, 2)],
  },
  Conv2DBackpropInput: [
    {
      f: (dy, w) => tf.conv2dTranspose(dy as Tensor4D, w as Tensor4D, [2, 7, 7, 2], 2, 'same'),
      inputs: [normal(2, 4, 4, 3), normal(3, 3, 2, 3)],
    },
    {
      f: (dy, w) => tf.conv2dTranspose(dy as Tensor4D, w as Tensor4D, [2, 6, 5, 2], [2, 1], uneven),
      inputs: [between(-0.1, 0.1, 2, 3, 6, 3), between(-0.1, 0.1, 3, 2, 2, 3)],
    },
    {
      f: (dy, w) => tf.conv2dTranspose(dy as Tensor4D, w as Tensor4D, [2, 5, 6, 16], 1, uneven),
      inputs: [between(-0.02, 0.02, 2, 5, 6, 32), between(-0.02, 0.02, 2, 3, 16, 32)],
    },
  ],
  Cos: unary(tf.cos),
  Cosh: unary(tf.cosh),
  Cumsum: [unary((x) => tf.cumsum(x, 1)), unary((x) => tf.cumsum(x, 0, true, true), normal(3, 4), false)],
  Elu: unary(tf.elu),
  EluGrad: unary((x) => tf.elu(tf.mul(x, 3))),
  Equal: { f: (a, b) => tf.equal(a!, b!), inputs: [ints(1, 2, 3), ints(1, 0, 3)], grad: false },
  Erf: unary(tf.erf),
  Exp: unary(tf.exp),
  ExpandDims: [unary((x) => tf.expandDims(x, 1)), unary((x) => tf.expandDims(x, -1))],
  Expm1: unary(tf.expm1),
  Fill: unary((x) => tf.mul(x, tf.fill([3, 4], 2.5))),
  Floor: unary(tf.floor),
  FloorDiv: [
    binary(tf.floorDiv, false, positive),
    { f: (a, b) => tf.floorDiv(a!, b!), inputs: [ints(7, -7, 8), ints(2, 2, -3)], grad: false },
  ],
  GatherV2: [
    { f: (x, i) => tf.gather(x!, i as Tensor1D), inputs: [normal(4, 3), ints(3, 0, 3)] },
    { f: (x, i) => tf.gather(x!, i as Tensor1D, 1), inputs: [normal(4, 3), ints(2, 0)] },
  ],
  Greater: binary(tf.greater, false),
  GreaterEqual: { f: (a, b) => tf.greaterEqual(a!, b!), inputs: [floats(1, 2, 3), floats(2, 2, 2)], grad: false },
  Identity: unary((x) => x.clone()),
  IsFinite: unary(tf.isFinite, special, false),
  IsInf: unary(tf.isInf, special, false),
  IsNan: unary(tf.isNaN, special, false),
  LeakyRelu: unary((x) => tf.leakyRelu(x, 0.3)),
  Less: binary(tf.less, false),
  LessEqual: { f: (a, b) => tf.lessEqual(a!, b!), inputs: [floats(1, 2, 3), floats(2, 2, 2)], grad: false },
  Log: unary(tf.log, positive(3, 4)),
  Log1p: unary(tf.log1p, positive(3, 4)),
  LogSoftmax: unary((x) => tf.logSoftmax(x)),
  LogicalAnd: { f: (a, b) => tf.logicalAnd(a!, b!), inputs: [bools(0, 0, 1, 1), bools(0, 1, 0, 1)], grad: false },
  LogicalNot: { f: (a) => tf.logicalNot(a!), inputs: [bools(0, 1)], grad: false },
  LogicalOr: { f: (a, b) => tf.logicalOr(a!, b!), inputs: [bools(0, 0, 1, 1), bools(0, 1, 0, 1)], grad: false },
  LogicalXor: { f: (a, b) => tf.logicalXor(a!, b!), inputs: [bools(0, 0, 1, 1), bools(0, 1, 0, 1)], grad: false },
  Max: [unary((x) => tf.max(x, 1)), unary((x) => tf.max(x, [0, 1], true))],
  MaxPool: unary((x) => tf.maxPool(x as Tensor4D, 3, 2, 'same'), normal(2, 5, 6, 3), false),
  Maximum: [sameShape(tf.maximum), binary(tf.maximum, false)],
  Mean: [
    unary((x) => tf.mean(x)),
    unary((x) => tf.mean(x, [0, 2], true), normal(2, 3, 4)),
    unary((x) => tf.mean(x, 1)),
  ],
  Min: unary((x) => tf.min(x, 0)),
  Minimum: [sameShape(tf.minimum), binary(tf.minimum, false)],
  MirrorPad: unary((x) =>
    tf.mirrorPad(
      x,
      [
        [1, 0],
        [2, 1],
      ],
      'reflect',
    ),
  ),
  Mod: [
    binary(tf.mod, true, positive),
    { f: (a, b) => tf.mod(a!, b!), inputs: [ints(7, -7, 8), ints(2, 2, -3)], grad: false },
  ],
  Multiply: binary(tf.mul),
  Neg: unary(tf.neg),
  NotEqual: { f: (a, b) => tf.notEqual(a!, b!), inputs: [ints(1, 2, 3), ints(1, 0, 3)], grad: false },
  OneHot: [
    { f: (i) => tf.oneHot(i as Tensor1D, 4), inputs: [ints(0, 3, 1)], grad: false },
    { f: (i) => tf.oneHot(i as Tensor1D, 3, 5, -1, 'float32'), inputs: [ints(0, 2, 7)], grad: false },
  ],
  OnesLike: unary((x) => tf.add(x, tf.onesLike(x))),
  Pack: { f: (a, b) => tf.stack([a!, b!], 1), inputs: [normal(2, 3), normal(2, 3)] },
  PadV2: unary((x) =>
    tf.pad(
      x,
      [
        [1, 2],
        [0, 1],
      ],
      0.5,
    ),
  ),
  Pow: binary(tf.pow, true, positive),
  Prelu: { f: (x, a) => tf.prelu(x!, a!), inputs: [normal(3, 4), positive(4)] },
  Prod: unary((x) => tf.prod(x, 1), normal(2, 3), false),
  Range: unary((x) => tf.mul(x, tf.range(0, 2, 0.5)), normal(3, 4)),
  RealDiv: binary(tf.div, true, positive),
  Reciprocal: unary(tf.reciprocal, positive(3, 4)),
  Relu: unary(tf.relu),
  Relu6: unary((x) => tf.relu6(tf.mul(x, 6))),
  Reshape: unary((x) => tf.reshape(x, [2, -1])),
  Reverse: unary((x) => tf.reverse(x, [0, -1])),
  Round: unary(tf.round, floats(-1.5, -0.5, 0.5, 1.5, 2.4), false),
  Rsqrt: unary(tf.rsqrt, positive(3, 4)),
  Select: { f: (a, b) => tf.where(tf.greater(a!, 0), a!, b!), inputs: [normal(3, 4), normal(3, 4)], grad: false },
  Selu: unary(tf.selu),
  Sigmoid: unary(tf.sigmoid),
  Sign: unary(tf.sign),
  Sin: unary(tf.sin),
  Sinh: unary(tf.sinh),
  Slice: [
    unary((x) => tf.slice(x, [1, 0], [2, 3])),
    unary((x) => tf.slice(x, [0, 1], [-1, -1])),
    unary((x) => tf.slice(x, 1, 2)),
    unary((x) => tf.slice(x, [1])),
  ],
  Softmax: unary((x) => tf.softmax(x)),
  Softplus: unary(tf.softplus),
  SplitV: [
    { f: (x) => tf.split(x!, 2, 1), inputs: [normal(3, 4)] },
    { f: (x) => tf.split(x!, [1, 3], 1), inputs: [normal(3, 4)] },
  ],
  Sqrt: unary(tf.sqrt, positive(3, 4)),
  Square: unary(tf.square),
  SquaredDifference: [sameShape(tf.squaredDifference), binary(tf.squaredDifference, false)],
  Step: [unary((x) => tf.step(x), normal(3, 4)), unary((x) => tf.step(x, -1), normal(3, 4))],
  Sub: binary(tf.sub),
  Sum: [unary((x) => tf.sum(x)), unary((x) => tf.sum(x, [0, 2]), normal(2, 3, 4)), unary((x) => tf.sum(x, 1, true))],
  Tan: unary(tf.tan, between(-1, 1, 4)),
  Tanh: unary(tf.tanh),
  Tile: unary((x) => tf.tile(x, [2, 3])),
  Transpose: unary((x) => tf.transpose(x, [2, 0, 1]), normal(2, 3, 4)),
  Unpack: { f: (x) => tf.unstack(x!, 1), inputs: [normal(2, 3, 4)] },
  UnsortedSegmentSum: {
    f: (x, i) => tf.unsortedSegmentSum(x as Tensor2D, i as Tensor1D, 4),
    inputs: [normal(3, 2), ints(2, 0, 2)],
  },
  ZerosLike: unary((x) => tf.add(x, tf.zerosLike(x))),
};

const names = process.env.CERT_TEST_DEVICE?.split(',') ?? ['cpu', 'web'];
const devices = await Promise.all(names.map(openTestDevice));
const eager = eagerDevice();
afterAll(async () => {
  for (const device of devices) await device.dispose();
});

/** The language of WebGPU allows these an absolute error of 2^-11; the others stay within rounding. */
const coarse = /^(Acos|Asin|Atan|Cos|Sin|Tan)$/;
/** A gradient of this one is a sum of up to a hundred numbers of up to 20 that cancel, and every device adds them in another order. */
const cancelling = 'Conv2DBackpropInput';
function tolerance({ name }: Device, kernel: string): number {
  if (name === 'webgpu' && coarse.test(kernel)) return 2 ** -11;
  return kernel === cancelling ? 5e-5 : 2e-5;
}

/** The results, and the gradients of a weighted sum of them with respect to the float inputs. */
function withGradients({ f, inputs, grad = true }: Case): (xs: readonly Tensor[]) => Tensor[] {
  const differentiable = inputs.flatMap(({ values }, i) => (values instanceof Float32Array ? [i] : []));
  return (xs) => {
    const results = [f(...xs)].flat();
    if (!grad) return results;
    const loss = (...floats: Tensor[]) => {
      const all = xs.map((x, i) => floats[differentiable.indexOf(i)] ?? x);
      const outs = [f(...all)].flat();
      // Weights that differ from element to element, so that a permuted gradient shows.
      const terms = outs.map((y) => tf.sum(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape))));
      return terms.reduce((a, b) => tf.add(a, b)).asScalar();
    };
    return [...results, ...tf.grads(loss)(differentiable.map((i) => xs[i]!))];
  };
}

const close = (got: HostArray, want: HostArray, allowed: number) => {
  expect(got.length).toBe(want.length);
  want.forEach((w, i) => {
    const g = got[i]!;
    const near = Object.is(g, w) || g === w || Math.abs(g - w) <= allowed * Math.max(1, Math.abs(w));
    expect(near, `element ${i}: ${g} instead of ${w}`).toBe(true);
  });
};

it('there is a case for every kernel', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(LOWERINGS).sort());
});

describe.each(devices)(
  'every lowered kernel gives what TensorFlow.js gives, gradient included, on $name',
  (compiled) => {
    for (const [kernel, cases] of Object.entries(CASES)) {
      [cases].flat().forEach((c, k) => {
        it(`${kernel} ${k}`, async () => {
          const f = withGradients(c);
          const run = async (device: Device) => {
            const args = c.inputs.map(({ values, shape }) => device.put(values, shape));
            const out = await device.jit(f)(args);
            return {
              shapes: out.map((x) => x.shape),
              dtypes: out.map((x) => x.dtype),
              values: (await readTree<Tensor[]>(out)) as HostArray[],
            };
          };
          const [want, got] = [await run(eager), await run(compiled)];
          expect(got.shapes).toEqual(want.shapes);
          // TensorFlow's quotient of floats is a float.
          if (!(compiled.name === 'tfjs-node' && kernel === 'FloorDiv')) expect(got.dtypes).toEqual(want.dtypes);
          for (const [i, values] of want.values.entries()) close(got.values[i]!, values, tolerance(compiled, kernel));
        });
      });
    }
  },
);

/**
 * The intermediate representation: a graph of values, each the result of one primitive op with a static shape. Primitives are
 * few and close to ONNX; images are NCHW and filters OIHW for `conv` and its gradients. Graphs are immutable; a pass
 * (`rewrite`) builds a new one.
 */
import type { Shape } from '@cert/core';
import type { DType, HostArray } from '../devices/device.js';

/** Elementwise functions of one operand. */
const UNARY = [
  'neg',
  'abs',
  'sign',
  'exp',
  'log',
  'sqrt',
  'reciprocal',
  'relu',
  'sigmoid',
  'tanh',
  'erf',
  'floor',
  'ceil',
  'round',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'asinh',
  'acosh',
  'atanh',
  'softplus',
  'not',
  'isNaN',
  'isInf',
] as const;
export type Unary = (typeof UNARY)[number];

/** Elementwise functions of two operands, with NumPy's broadcasting. */
const BINARY = [
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'pow',
  'eq',
  'lt',
  'le',
  'gt',
  'ge',
  'and',
  'or',
  'xor',
] as const;
export type Binary = (typeof BINARY)[number];

/** Reductions over some axes. */
export type Reduction = 'sum' | 'sumSquare' | 'mean' | 'max' | 'min' | 'prod';

/** Geometry of a convolution over two spatial axes; pads are [top, left, bottom, right]. */
export interface Geometry {
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly groups: number;
}

/** Where an image of rank 4 has its channels: [N, H, W, C] or [N, C, H, W]. */
export type ImageOrder = 'channelsLast' | 'channelsFirst';

/** A convolution on blocked images, with or without a ReLU on its result. */
export interface BlockedGeometry extends Geometry {
  readonly relu: boolean;
}

/** Attributes of each primitive. Operands are named in the comments. */
export interface Primitives {
  input: { readonly index: number };
  /** Values are on the node, not here. */
  const: object;
  unary: { readonly f: Unary }; // x
  binary: { readonly f: Binary }; // a, b
  cast: object; // x; the target is the node's dtype
  where: object; // condition, a, b
  reduce: { readonly f: Reduction; readonly axes: readonly number[]; readonly keepDims: boolean }; // x
  arg: { readonly f: 'max' | 'min'; readonly axis: number }; // x; int32
  reshape: object; // x
  expand: object; // x; broadcast to the node's shape
  transpose: { readonly perm: readonly number[] }; // x
  slice: { readonly begin: readonly number[]; readonly end: readonly number[]; readonly steps: readonly number[] }; // x
  pad: {
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly value: number;
    readonly mode: 'constant' | 'reflect';
  }; // x
  concat: { readonly axis: number }; // x...
  gather: { readonly axis: number }; // x, int32 indices
  cumsum: { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean }; // x
  softmax: object; // x, over the last axis
  matmul: { readonly transA: boolean; readonly transB: boolean }; // a, b; batch axes broadcast
  conv: Geometry; // x [N,C,H,W], w [F,C/groups,h,w], maybe bias [F]
  convInputGrad: Geometry; // dy [N,F,H',W'], w; the node's shape is that of x
  convFilterGrad: Geometry; // x, dy; the node's shape is that of w
  /** To the blocked form [N, C / size, H, W, size], in which a CPU's convolutions are fastest. */
  block: { readonly size: number; readonly from: ImageOrder }; // x
  /** From the blocked form. */
  unblock: { readonly to: ImageOrder }; // x
  /**
   * A convolution of blocked images, or of [N, C, H, W] with fewer channels than a block; maybe with a bias [F], and then maybe
   * with a blocked image that is added to the result. Filters are [F / size, C / size, h, w, size of C, size of F], or
   * [F / size, C / groups, h, w, size] where channels are not blocked.
   */
  blockedConv: BlockedGeometry; // x, w, maybe bias, maybe addend
  pool: Geometry & { readonly f: 'avg' | 'max'; readonly window: readonly [number, number] }; // x [N,C,H,W]
}
export type Primitive = keyof Primitives;

/** The result of one primitive. */
export interface ValueOf<P extends Primitive> {
  readonly id: number;
  readonly op: P;
  readonly inputs: readonly Value[];
  readonly attrs: Primitives[P];
  readonly shape: Shape;
  readonly dtype: DType;
  /** For `const`. */
  readonly data?: HostArray;
  /** Where the traced function made it, for messages and profiles. */
  readonly site?: string;
}
export type Value = { [P in Primitive]: ValueOf<P> }[Primitive];

/** A compiled function's body: the values of its inputs and outputs. */
export interface Graph {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i]);

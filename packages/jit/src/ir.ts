/**
 * The intermediate representation: a graph of values, each the result of one primitive op with a static shape. Primitives are
 * few and close to ONNX; images are NCHW and filters OIHW for `conv` and its gradients. Graphs are immutable; a pass
 * (`rewrite`) builds a new one.
 */
import type { Shape } from '@cert/core';
import type { DType, HostArray } from './device.js';

/** Elementwise functions of one operand. */
export const UNARY = [
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
export const BINARY = [
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
export type Reduction = 'sum' | 'mean' | 'max' | 'min' | 'prod';

/** Geometry of a convolution over two spatial axes; pads are [top, left, bottom, right]. */
export interface Geometry {
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly groups: number;
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

export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i]);

/** NumPy's broadcast of two shapes. */
export function broadcast(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [m, n] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return m === 1 ? n : m;
  });
}

const COMPARISONS: readonly Binary[] = ['eq', 'lt', 'le', 'gt', 'ge', 'and', 'or', 'xor'];

/** Makes values; equal ones (same primitive, operands, attributes, shape) are made once, which is common-subexpression elimination. */
export class Builder {
  private readonly made = new Map<string, Value>();
  private next = 0;
  /** Given to every value made from now on. */
  site: string | undefined;

  make<P extends Primitive>(
    op: P,
    inputs: readonly Value[],
    attrs: Primitives[P],
    shape: Shape,
    dtype: DType,
    data?: HostArray,
  ): Value {
    const key = `${op} ${inputs.map((v) => v.id)} ${JSON.stringify(attrs)} ${shape} ${dtype} ${data ? contentKey(data) : ''}`;
    const known = data !== undefined && data.length > 4096 ? undefined : this.made.get(key);
    if (known !== undefined) return known;
    const value = {
      id: this.next++,
      op,
      inputs,
      attrs,
      shape: [...shape],
      dtype,
      ...(data && { data }),
      ...(this.site && { site: this.site }),
    } as ValueOf<P> as Value;
    this.made.set(key, value);
    return value;
  }

  /** The same primitive on other operands; for passes. */
  again(value: Value, inputs: readonly Value[]): Value {
    return this.make(value.op, inputs, value.attrs, value.shape, value.dtype, value.data);
  }

  input = (index: number, shape: Shape, dtype: DType) => this.make('input', [], { index }, shape, dtype);

  const = (data: HostArray, shape: Shape, dtype: DType) => this.make('const', [], {}, shape, dtype, data);

  /** A constant scalar. */
  scalar(value: number, dtype: DType = 'float32'): Value {
    const data =
      dtype === 'float32' ? Float32Array.of(value) : dtype === 'int32' ? Int32Array.of(value) : Uint8Array.of(value);
    return this.const(data, [], dtype);
  }

  unary = (f: Unary, x: Value) =>
    this.make('unary', [x], { f }, x.shape, f === 'isNaN' || f === 'isInf' || f === 'not' ? 'bool' : x.dtype);

  binary = (f: Binary, a: Value, b: Value) =>
    this.make('binary', [a, b], { f }, broadcast(a.shape, b.shape), COMPARISONS.includes(f) ? 'bool' : a.dtype);

  cast = (x: Value, dtype: DType) => (x.dtype === dtype ? x : this.make('cast', [x], {}, x.shape, dtype));

  where = (c: Value, a: Value, b: Value) =>
    this.make('where', [c, a, b], {}, broadcast(c.shape, broadcast(a.shape, b.shape)), a.dtype);

  reduce(f: Reduction, x: Value, axes: readonly number[], keepDims = false): Value {
    if (axes.length === 0) return x;
    const shape = x.shape.flatMap((n, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [n]));
    return this.make('reduce', [x], { f, axes: [...axes].sort((a, b) => a - b), keepDims }, shape, x.dtype);
  }

  arg = (f: 'max' | 'min', x: Value, axis: number) =>
    this.make(
      'arg',
      [x],
      { f, axis },
      x.shape.filter((_, i) => i !== axis),
      'int32',
    );

  reshape = (x: Value, shape: Shape) => (sameShape(x.shape, shape) ? x : this.make('reshape', [x], {}, shape, x.dtype));

  expand = (x: Value, shape: Shape) => (sameShape(x.shape, shape) ? x : this.make('expand', [x], {}, shape, x.dtype));

  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((p, i) => p === i)) return x;
    return this.make(
      'transpose',
      [x],
      { perm },
      perm.map((p) => x.shape[p]!),
      x.dtype,
    );
  }

  slice(
    x: Value,
    begin: readonly number[],
    end: readonly number[],
    steps: readonly number[] = begin.map(() => 1),
  ): Value {
    const shape = begin.map((b, i) => Math.max(0, Math.ceil((end[i]! - b) / steps[i]!)));
    return sameShape(shape, x.shape) && steps.every((s) => s === 1)
      ? x
      : this.make('slice', [x], { begin, end, steps }, shape, x.dtype);
  }

  pad(
    x: Value,
    before: readonly number[],
    after: readonly number[],
    value = 0,
    mode: 'constant' | 'reflect' = 'constant',
  ): Value {
    if ([...before, ...after].every((n) => n === 0)) return x;
    return this.make(
      'pad',
      [x],
      { before, after, value, mode },
      x.shape.map((n, i) => n + before[i]! + after[i]!),
      x.dtype,
    );
  }

  concat(xs: readonly Value[], axis: number): Value {
    if (xs.length === 1) return xs[0]!;
    const total = xs.reduce((sum, x) => sum + x.shape[axis]!, 0);
    return this.make(
      'concat',
      xs,
      { axis },
      xs[0]!.shape.map((n, i) => (i === axis ? total : n)),
      xs[0]!.dtype,
    );
  }

  gather = (x: Value, indices: Value, axis: number) =>
    this.make(
      'gather',
      [x, indices],
      { axis },
      [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)],
      x.dtype,
    );

  matmul(a: Value, b: Value, transA = false, transB = false): Value {
    const rows = a.shape.at(transA ? -1 : -2)!;
    const columns = b.shape.at(transB ? -2 : -1)!;
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return this.make('matmul', [a, b], { transA, transB }, [...batch, rows, columns], a.dtype);
  }

  conv(x: Value, w: Value, geometry: Geometry, bias?: Value): Value {
    const spatial = ([0, 1] as const).map((i) =>
      outSize(
        x.shape[2 + i]!,
        w.shape[2 + i]!,
        geometry.strides[i],
        geometry.pads[i] + geometry.pads[i + 2]!,
        geometry.dilations[i],
      ),
    );
    return this.make('conv', bias ? [x, w, bias] : [x, w], geometry, [x.shape[0]!, w.shape[0]!, ...spatial], x.dtype);
  }
}

/** The number of windows along one axis. */
export const outSize = (size: number, window: number, stride: number, pads: number, dilation: number): number =>
  Math.floor((size + pads - dilation * (window - 1) - 1) / stride) + 1;

const contentKey = (data: HostArray): string => (data.length > 4096 ? '' : `${data.constructor.name}:${data.join()}`);

/** The live values of a graph, operands first. */
export function schedule(graph: Graph): Value[] {
  const seen = new Set<Value>();
  const order: Value[] = [];
  const visit = (root: Value) => {
    // An explicit stack: graphs are deeper than the call stack allows.
    const stack: [Value, number][] = [[root, 0]];
    if (seen.has(root)) return;
    seen.add(root);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const operand = top[0].inputs[top[1]++];
      if (operand === undefined) {
        order.push(top[0]);
        stack.pop();
      } else if (!seen.has(operand)) {
        seen.add(operand);
        stack.push([operand, 0]);
      }
    }
  };
  for (const input of graph.inputs) visit(input);
  for (const output of graph.outputs) visit(output);
  return order;
}

/**
 * A pass: says what a value becomes, given its operands already rewritten, or undefined to keep it. `original` is the value in
 * the graph that is rewritten.
 */
export type Rule = (builder: Builder, value: Value, original: Value) => Value | undefined;

/** Rebuilds a graph through a rule. Dead values vanish, equal ones merge. */
export function rewrite(graph: Graph, rule: Rule): Graph {
  const builder = new Builder();
  const now = new Map<Value, Value>();
  for (const value of schedule(graph)) {
    builder.site = value.site;
    const again = builder.again(
      value,
      value.inputs.map((v) => now.get(v)!),
    );
    now.set(value, rule(builder, again, value) ?? again);
  }
  return { inputs: graph.inputs.map((v) => now.get(v)!), outputs: graph.outputs.map((v) => now.get(v)!) };
}

/** Makes the values of a graph. */
import type { Shape } from '@cert/core';
import type { DType, HostArray } from '../devices/device.js';
import {
  type Binary,
  type BlockedGeometry,
  type Geometry,
  type ImageOrder,
  type Primitive,
  type Primitives,
  type Reduction,
  sameShape,
  type Unary,
  type Value,
  type ValueOf,
} from './ir.js';

/** NumPy's broadcast of two shapes. */
function broadcast(a: Shape, b: Shape): number[] {
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
    const shape = [x.shape[0]!, w.shape[0]!, ...spatial(x, w, geometry)];
    return this.make('conv', bias ? [x, w, bias] : [x, w], geometry, shape, x.dtype);
  }

  /** An image to the blocked form. Its channels are a multiple of `size`. */
  block(x: Value, size: number, from: ImageOrder): Value {
    const [n, a, b, c] = x.shape as [number, number, number, number];
    const shape = from === 'channelsLast' ? [n, c / size, a, b, size] : [n, a / size, b, c, size];
    return this.make('block', [x], { size, from }, shape, x.dtype);
  }

  /** A blocked image to a plain one. */
  unblock(x: Value, to: ImageOrder): Value {
    const [n, groups, h, w, size] = x.shape as [number, number, number, number, number];
    const shape = to === 'channelsLast' ? [n, h, w, groups * size] : [n, groups * size, h, w];
    return this.make('unblock', [x], { to }, shape, x.dtype);
  }

  /** `rest` is nothing, a bias, or a bias and an addend. */
  blockedConv(x: Value, w: Value, geometry: BlockedGeometry, ...rest: Value[]): Value {
    const shape = [x.shape[0]!, w.shape[0]!, ...spatial(x, w, geometry), w.shape.at(-1)!];
    return this.make('blockedConv', [x, w, ...rest], geometry, shape, x.dtype);
  }
}

/** Height and width of a convolution's result; images and filters have theirs in axes 2 and 3. */
const spatial = (x: Value, w: Value, { strides, pads, dilations }: Geometry): number[] =>
  ([0, 1] as const).map((i) =>
    outSize(x.shape[2 + i]!, w.shape[2 + i]!, strides[i], pads[i] + pads[i + 2]!, dilations[i]),
  );

/** The number of windows along one axis. */
const outSize = (size: number, window: number, stride: number, pads: number, dilation: number): number =>
  Math.floor((size + pads - dilation * (window - 1) - 1) / stride) + 1;

const contentKey = (data: HostArray): string => (data.length > 4096 ? '' : `${data.constructor.name}:${data.join()}`);

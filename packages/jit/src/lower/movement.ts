import { CertError, sizeOf, type TF } from '@cert/core';
import type { DType } from '../devices/device.js';
import type { Builder } from '../graph/builder.js';
import type { Value } from '../graph/ir.js';
import { knownDtype } from './dtype.js';
import type { Kernel, Lowerings } from './lowering.js';

/** Kernels that only move, copy or make data. */
export interface MovementKernels {
  readonly BroadcastTo: Kernel<TF.BroadcastToInputs, TF.BroadCastToAttrs>;
  readonly Concat: Kernel<TF.ConcatInputs, TF.ConcatAttrs>;
  readonly ExpandDims: Kernel<TF.ExpandDimsInputs, TF.ExpandDimsAttrs>;
  readonly Fill: Kernel<object, TF.FillAttrs>;
  readonly GatherV2: Kernel<TF.GatherV2Inputs, TF.GatherV2Attrs>;
  readonly MirrorPad: Kernel<TF.MirrorPadInputs, TF.MirrorPadAttrs>;
  readonly OneHot: Kernel<TF.OneHotInputs, TF.OneHotAttrs>;
  readonly OnesLike: Kernel<TF.OnesLikeInputs>;
  readonly Pack: Kernel<TF.PackInputs, TF.PackAttrs>;
  readonly PadV2: Kernel<TF.PadV2Inputs, TF.PadV2Attrs>;
  readonly Range: Kernel<object, TF.RangeAttrs>;
  readonly Reshape: Kernel<TF.ReshapeInputs, TF.ReshapeAttrs>;
  readonly Reverse: Kernel<TF.ReverseInputs, TF.ReverseAttrs>;
  readonly Slice: Kernel<TF.SliceInputs, TF.SliceAttrs>;
  readonly SplitV: Kernel<TF.SplitVInputs, TF.SplitVAttrs>;
  readonly Tile: Kernel<TF.TileInputs, TF.TileAttrs>;
  readonly Transpose: Kernel<TF.TransposeInputs, TF.TransposeAttrs>;
  readonly Unpack: Kernel<TF.UnpackInputs, TF.UnpackAttrs>;
  readonly UnsortedSegmentSum: Kernel<TF.UnsortedSegmentSumInputs, TF.UnsortedSegmentSumAttrs>;
  readonly ZerosLike: Kernel<TF.ZerosLikeInputs>;
}

/** TensorFlow.js pads a shape with at most one -1. */
const resolve = (shape: readonly number[], size: number): number[] => {
  const known = shape.reduce((product, n) => (n === -1 ? product : product * n), 1);
  return shape.map((n) => (n === -1 ? size / known : n));
};

const stack = (build: Builder, inputs: readonly Value[], axis: number): Value => {
  const shape = [...inputs[0]!.shape];
  shape.splice(axis, 0, 1);
  return build.concat(
    inputs.map((x) => build.reshape(x, shape)),
    axis,
  );
};

/** Cuts x into pieces of the given sizes along an axis. */
function split(build: Builder, x: Value, sizes: readonly number[], axis: number): Value[] {
  let start = 0;
  return sizes.map((size) => {
    const begin = x.shape.map((_, i) => (i === axis ? start : 0));
    const end = x.shape.map((n, i) => (i === axis ? start + size : n));
    start += size;
    return build.slice(x, begin, end);
  });
}

const fill = (build: Builder, value: number, shape: readonly number[], dtype: DType): Value =>
  build.expand(build.scalar(value, dtype), shape);

const axisOf = (axis: number, rank: number): number => (axis + rank) % rank;

/** Kernels that only move, copy or make data. */
export const movement: Lowerings<MovementKernels> = {
  BroadcastTo: (build, { x }, { shape }) => build.expand(x, shape),
  Concat(build, inputs, { axis }) {
    const all = Object.values(inputs);
    const filled = all.filter((x) => sizeOf(x.shape) > 0);
    return build.concat(filled.length === 0 ? all : filled, axisOf(axis, all[0]!.shape.length));
  },
  ExpandDims(build, { input }, { dim }) {
    const shape = [...input.shape];
    shape.splice(axisOf(dim, shape.length + 1), 0, 1);
    return build.reshape(input, shape);
  },
  Fill: (build, _, { shape, value, dtype }) => fill(build, Number(value), shape, knownDtype(dtype ?? 'float32')),
  GatherV2(build, { x, indices }, { axis, batchDims }) {
    if (batchDims)
      throw unsupportedOption(
        'tf.gather',
        'batchDims',
        'Gather from one example at a time and stack the results, or multiply by tf.oneHot.',
      );
    return build.gather(x, build.cast(indices, 'int32'), axisOf(axis, x.shape.length));
  },
  MirrorPad: (build, { x }, { paddings, mode }) => {
    if (mode !== 'reflect')
      throw unsupportedOption(
        'tf.mirrorPad',
        'the mode "symmetric"',
        'Use the mode "reflect", or concatenate reversed slices.',
      );
    return build.pad(
      x,
      paddings.map((p) => p[0]),
      paddings.map((p) => p[1]),
      0,
      'reflect',
    );
  },
  OneHot(build, { indices }, { depth, onValue, offValue, dtype }) {
    const hot = oneHot(build, indices, depth);
    const scaled =
      onValue === 1 && offValue === 0
        ? hot
        : build.binary('add', build.binary('mul', hot, build.scalar(onValue - offValue)), build.scalar(offValue));
    return build.cast(scaled, knownDtype(dtype ?? 'int32'));
  },
  OnesLike: (build, { x }) => fill(build, 1, x.shape, x.dtype),
  Pack: (build, inputs, { axis }) => {
    const xs = Object.values(inputs);
    return stack(build, xs, axisOf(axis, xs[0]!.shape.length + 1));
  },
  PadV2(build, { x }, { paddings, constantValue }) {
    return build.pad(
      x,
      paddings.map((p) => p[0]),
      paddings.map((p) => p[1]),
      constantValue,
    );
  },
  Range(build, _, { start, stop, step, dtype }) {
    const values = Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_v, i) => start + i * step);
    const type = dtype ?? 'float32';
    return build.const(type === 'int32' ? Int32Array.from(values) : Float32Array.from(values), [values.length], type);
  },
  Reshape: (build, { x }, { shape }) => build.reshape(x, resolve(shape, sizeOf(x.shape))),
  Reverse(build, { x }, { dims }) {
    const axes = [dims].flat().map((d) => axisOf(d, x.shape.length));
    return axes.reduce((value, axis) => flip(build, value, axis), x);
  },
  Slice(build, { x }, { begin, size }) {
    // What is left out, or a plain number for the first axis, leaves the other axes whole.
    const given = (values: number | readonly number[], rest: number) => {
      const first = [values].flat();
      return x.shape.map((_, axis) => first[axis] ?? rest);
    };
    const start = given(begin, 0);
    const end = given(size, -1).map((n, i) => (n === -1 ? x.shape[i]! : start[i]! + n));
    return build.slice(x, start, end);
  },
  SplitV(build, { x }, { numOrSizeSplits, axis }) {
    const along = axisOf(axis, x.shape.length);
    const total = x.shape[along]!;
    const sizes =
      typeof numOrSizeSplits === 'number'
        ? Array<number>(numOrSizeSplits).fill(total / numOrSizeSplits)
        : resolveSum(numOrSizeSplits, total);
    return split(build, x, sizes, along);
  },
  Tile(build, { x }, { reps }) {
    // [a, b] tiled (r, s): [1, a, 1, b] broadcast to [r, a, s, b].
    const apart = build.reshape(
      x,
      x.shape.flatMap((n) => [1, n]),
    );
    const wide = build.expand(
      apart,
      x.shape.flatMap((n, i) => [reps[i]!, n]),
    );
    return build.reshape(
      wide,
      x.shape.map((n, i) => n * reps[i]!),
    );
  },
  Transpose: (build, { x }, { perm }) => build.transpose(x, perm),
  Unpack(build, { value }, { axis }) {
    const along = axisOf(axis, value.shape.length);
    const shape = value.shape.filter((_, i) => i !== along);
    return split(build, value, Array<number>(value.shape[along]!).fill(1), along).map((x) => build.reshape(x, shape));
  },
  /** Adds row i of x to row segmentIds[i] of the result: a product with a one-hot matrix. */
  UnsortedSegmentSum(build, { x, segmentIds }, { numSegments }) {
    const rows = sizeOf(segmentIds.shape);
    const hot = oneHot(build, build.reshape(segmentIds, [rows]), numSegments);
    const flat = build.reshape(x, [rows, sizeOf(x.shape) / rows]);
    const sum = build.matmul(hot, build.cast(flat, 'float32'), true);
    const shape = [numSegments, ...x.shape.slice(segmentIds.shape.length)];
    return build.cast(build.reshape(sum, shape), x.dtype);
  },
  ZerosLike: (build, { x }) => fill(build, 0, x.shape, x.dtype),
};

/** [..., depth] float32, 1 where the last index equals the value; all 0 for an index out of range. */
function oneHot(build: Builder, indices: Value, depth: number): Value {
  const classes = build.const(
    Int32Array.from({ length: depth }, (_, i) => i),
    [depth],
    'int32',
  );
  const column = build.reshape(build.cast(indices, 'int32'), [...indices.shape, 1]);
  return build.cast(build.binary('eq', column, classes), 'float32');
}

/** x reversed along one axis. */
export function flip(build: Builder, x: Value, axis: number): Value {
  const n = x.shape[axis]!;
  const indices = build.const(
    Int32Array.from({ length: n }, (_, i) => n - 1 - i),
    [n],
    'int32',
  );
  return n === 1 ? x : build.gather(x, indices, axis);
}

function resolveSum(sizes: readonly number[], total: number): number[] {
  const known = sizes.reduce((sum, n) => (n === -1 ? sum : sum + n), 0);
  return sizes.map((n) => (n === -1 ? total - known : n));
}

const unsupportedOption = (op: string, option: string, cure: string): CertError =>
  new CertError('unsupported-kernel', `${op} with ${option} cannot be compiled.`, cure);

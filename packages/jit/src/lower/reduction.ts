import type { Builder } from '../graph/builder.js';
import type { Reduction, Value } from '../graph/ir.js';
import type { Lowering } from './lowering.js';

const axesOf = (axis: unknown, x: Value): number[] => {
  const rank = x.shape.length;
  const axes = axis === undefined || axis === null ? x.shape.map((_, i) => i) : [axis as number | number[]].flat();
  return axes.map((a) => (a + rank) % rank);
};

const reduce =
  (f: Reduction): Lowering =>
  (build, { x }, { axis, keepDims }) =>
    build.reduce(f, x!, axesOf(axis, x!), Boolean(keepDims));

const logical =
  (f: 'min' | 'max'): Lowering =>
  (build, { x }, { axis, keepDims }) =>
    build.cast(build.reduce(f, build.cast(x!, 'int32'), axesOf(axis, x!), Boolean(keepDims)), 'bool');

const arg =
  (f: 'max' | 'min'): Lowering =>
  (build, { x }, { axis }) =>
    build.make(
      'arg',
      [x!],
      { f, axis: axesOf(axis, x!)[0]! },
      x!.shape.filter((_, i) => i !== axesOf(axis, x!)[0]),
      'int32',
    );

/** log softmax over the last axis, shifted by the maximum. */
const logSoftmax = (build: Builder, x: Value): Value => {
  const last = [x.shape.length - 1];
  const shifted = build.binary('sub', x, build.reduce('max', x, last, true));
  return build.binary('sub', shifted, build.unary('log', build.reduce('sum', build.unary('exp', shifted), last, true)));
};

/** Kernels that sum, compare or multiply over axes. */
export const reduction: { readonly [kernel: string]: Lowering } = {
  All: logical('min'),
  Any: logical('max'),
  ArgMax: arg('max'),
  ArgMin: arg('min'),
  BatchMatMul: (build, { a, b }, { transposeA, transposeB }) =>
    build.matmul(a!, b!, Boolean(transposeA), Boolean(transposeB)),
  Cumsum: (build, { x }, { axis, exclusive, reverse }) =>
    build.make(
      'cumsum',
      [x!],
      { axis: axesOf(axis, x!)[0]!, exclusive: Boolean(exclusive), reverse: Boolean(reverse) },
      x!.shape,
      x!.dtype,
    ),
  LogSoftmax: (build, { logits }) => logSoftmax(build, logits!),
  Max: (build, { x }, { reductionIndices, keepDims }) =>
    build.reduce('max', x!, axesOf(reductionIndices, x!), Boolean(keepDims)),
  Mean: reduce('mean'),
  Min: reduce('min'),
  Prod: reduce('prod'),
  Softmax: (build, { logits }) => build.make('softmax', [logits!], {}, logits!.shape, logits!.dtype),
  Sum: reduce('sum'),
};

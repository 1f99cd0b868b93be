import type { TF } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import type { Reduction, Value } from '../graph/ir.js';
import type { Kernel, Lowering, Lowerings } from './lowering.js';

/** A kernel of one operand that takes one axis or several, as all of these do. */
type AxesKernel = Kernel<TF.SumInputs, TF.SumAttrs>;

/** Kernels that sum, compare or multiply over axes. */
export interface ReductionKernels {
  readonly All: Kernel<TF.AllInputs, TF.AllAttrs>;
  readonly Any: Kernel<TF.AnyInputs, TF.AnyAttrs>;
  readonly ArgMax: Kernel<TF.ArgMaxInputs, TF.ArgMaxAttrs>;
  readonly ArgMin: Kernel<TF.ArgMinInputs, TF.ArgMinAttrs>;
  readonly BatchMatMul: Kernel<TF.BatchMatMulInputs, TF.BatchMatMulAttrs>;
  readonly Cumsum: Kernel<TF.CumsumInputs, TF.CumsumAttrs>;
  readonly LogSoftmax: Kernel<TF.LogSoftmaxInputs, TF.LogSoftmaxAttrs>;
  readonly Max: Kernel<TF.MaxInputs, TF.MaxAttrs>;
  readonly Mean: Kernel<TF.MeanInputs, TF.MeanAttrs>;
  readonly Min: Kernel<TF.MinInputs, TF.MinAttrs>;
  readonly Prod: Kernel<TF.ProdInputs, TF.ProdAttrs>;
  readonly Softmax: Kernel<TF.SoftmaxInputs, TF.SoftmaxAttrs>;
  readonly Sum: Kernel<TF.SumInputs, TF.SumAttrs>;
}

/** The axes from 0; all of them where TensorFlow.js was given none, which its declarations leave out. */
const axesOf = (axis: number | readonly number[] | null | undefined, { shape: { length: rank } }: Value): number[] =>
  [axis ?? [...Array(rank).keys()]].flat().map((a) => (a + rank) % rank);

const reduce =
  (f: Reduction): Lowering<AxesKernel> =>
  (build, { x }, { axis, keepDims }) =>
    build.reduce(f, x, axesOf(axis, x), Boolean(keepDims));

const logical =
  (f: 'min' | 'max'): Lowering<AxesKernel> =>
  (build, { x }, { axis, keepDims }) =>
    build.cast(build.reduce(f, build.cast(x, 'int32'), axesOf(axis, x), Boolean(keepDims)), 'bool');

const arg =
  (f: 'max' | 'min'): Lowering<Kernel<TF.ArgMaxInputs, TF.ArgMaxAttrs>> =>
  (build, { x }, { axis }) =>
    build.make(
      'arg',
      [x],
      { f, axis: axesOf(axis, x)[0]! },
      x.shape.filter((_, i) => i !== axesOf(axis, x)[0]),
      'int32',
    );

/** log softmax over the last axis, shifted by the maximum. */
const logSoftmax = (build: Builder, x: Value): Value => {
  const last = [x.shape.length - 1];
  const shifted = build.binary('sub', x, build.reduce('max', x, last, true));
  return build.binary('sub', shifted, build.unary('log', build.reduce('sum', build.unary('exp', shifted), last, true)));
};

/** Kernels that sum, compare or multiply over axes. */
export const reduction: Lowerings<ReductionKernels> = {
  All: logical('min'),
  Any: logical('max'),
  ArgMax: arg('max'),
  ArgMin: arg('min'),
  BatchMatMul: (build, { a, b }, { transposeA, transposeB }) =>
    build.matmul(a, b, Boolean(transposeA), Boolean(transposeB)),
  Cumsum: (build, { x }, { axis, exclusive, reverse }) =>
    build.make(
      'cumsum',
      [x],
      { axis: axesOf(axis, x)[0]!, exclusive: Boolean(exclusive), reverse: Boolean(reverse) },
      x.shape,
      x.dtype,
    ),
  LogSoftmax: (build, { logits }) => logSoftmax(build, logits),
  Max: (build, { x }, { reductionIndices, keepDims }) =>
    build.reduce('max', x, axesOf(reductionIndices, x), Boolean(keepDims)),
  Mean: reduce('mean'),
  Min: reduce('min'),
  Prod: reduce('prod'),
  Softmax: (build, { logits }) => build.make('softmax', [logits], {}, logits.shape, logits.dtype),
  Sum: reduce('sum'),
};

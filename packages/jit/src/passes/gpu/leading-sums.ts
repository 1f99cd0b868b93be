import { sizeOf } from '@cert/core';
import type { Rule } from '../../graph/rewrite.js';
import { SHORT_SUM } from './limits.js';

/** {@link SHORT_SUM} holds for more results than this. */
const MANY = 1024;
/** A product computes each sum in one row of threads. Longer sums are faster without one, because ONNX Runtime cuts them up. */
const LONGEST = 4096;

/**
 * Sums over the first axes for a GPU: a product with ones. ONNX Runtime sums over the last axes alone; for any others it first copies
 * its operand with these axes at the end. Where first and last axes are summed, the last ones go first.
 */
export const leadingSums: Rule = (build, value) => {
  if (value.op !== 'reduce' || value.dtype !== 'float32') return undefined;
  const { f, axes } = value.attrs;
  if (f !== 'sum' && f !== 'sumSquare') return undefined;
  const x = value.inputs[0]!;
  const kept = x.shape.flatMap((n, axis) => (axes.includes(axis) || n === 1 ? [] : [axis]));
  if (kept.length === 0) return undefined;
  const [first, last] = [kept[0]!, kept.at(-1)!];
  const [lead, middle, tail] = [x.shape.slice(0, first), x.shape.slice(first, last + 1), x.shape.slice(last + 1)].map(
    sizeOf,
  ) as [number, number, number];
  const between = axes.some((axis) => axis > first && axis < last && x.shape[axis] !== 1);
  if (between || lead <= 1 || lead > LONGEST || (lead * tail < SHORT_SUM && middle > MANY)) return undefined;
  if (tail === 1 && f !== 'sum') return undefined;
  const rows = tail === 1 ? x : build.reduce(f, build.reshape(x, [lead, middle, tail]), [2]);
  const ones = build.const(new Float32Array(lead).fill(1), [1, lead], 'float32');
  return build.reshape(build.matmul(ones, build.reshape(rows, [lead, middle])), value.shape);
};

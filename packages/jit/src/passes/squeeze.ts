import { sizeOf } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import type { Value } from '../graph/ir.js';
import type { Rule } from '../graph/rewrite.js';

/**
 * Drops trailing axes of size 1 around elementwise ops of several operands: ONNX Runtime broadcasts along the last axis, and
 * with one element there it is ten times slower (one-channel images are [n, h, w, 1]).
 */
export const squeeze: Rule = (build, value) => {
  if (value.op !== 'binary' && value.op !== 'where') return undefined;
  const rank = value.shape.length;
  if (value.shape[rank - 1] !== 1 || sizeOf(value.shape) === 1) return undefined;
  const inputs = value.inputs.map((x) => withoutLast(build, x, rank));
  const result =
    value.op === 'binary'
      ? build.binary(value.attrs.f, inputs[0]!, inputs[1]!)
      : build.where(inputs[0]!, inputs[1]!, inputs[2]!);
  return build.reshape(result, value.shape);
};

/** An operand of an op of the given rank, its last axis (of size 1) dropped. */
const withoutLast = (build: Builder, x: Value, rank: number): Value =>
  x.shape.length < rank && sizeOf(x.shape) === 1 ? build.reshape(x, []) : build.reshape(x, x.shape.slice(0, -1));

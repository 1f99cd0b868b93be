import type { Value } from '../../graph/ir.js';
import type { Rule } from '../../graph/rewrite.js';
import { divisorUpTo, SHORT_SUM } from './limits.js';

/** Rows and columns of a product that one group of threads computes. */
const TILE = 32;
/** Groups of threads that keep a large GPU busy. */
const GROUPS = 256;
/** Shorter sums than this are not worth cutting. */
const SHORTEST = 256;

/**
 * A product with long sums and few results, such as a dense layer behind a convolution, for a GPU: the sums are cut into parts, which are
 * computed side by side and added at the end.
 */
export const splitProducts: Rule = (build, value) => {
  if (value.op !== 'matmul' || value.shape.length !== 2 || value.dtype !== 'float32') return undefined;
  const [a, b] = value.inputs as [Value, Value];
  const { transA, transB } = value.attrs;
  if (a.shape.length !== 2 || b.shape.length !== 2) return undefined;
  const [rows, columns] = value.shape as [number, number];
  const tiles = Math.ceil(rows / TILE) * Math.ceil(columns / TILE);
  const length = a.shape[transA ? 0 : 1]!;
  const most = Math.min(Math.ceil(GROUPS / tiles), SHORT_SUM - 1, Math.floor(length / SHORTEST));
  const parts = divisorUpTo(length, most);
  if (parts === 1) return undefined;
  const part = length / parts;
  const left = transA
    ? build.transpose(build.reshape(a, [parts, part, rows]), [0, 2, 1])
    : build.transpose(build.reshape(a, [rows, parts, part]), [1, 0, 2]);
  const right = transB
    ? build.transpose(build.reshape(b, [columns, parts, part]), [1, 2, 0])
    : build.reshape(b, [parts, part, columns]);
  return build.reduce('sum', build.matmul(left, right), [0]);
};

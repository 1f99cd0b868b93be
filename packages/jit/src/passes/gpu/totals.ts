import { sizeOf } from '@cert/core';
import type { Builder } from '../../graph/builder.js';
import type { Graph, Value, ValueOf } from '../../graph/ir.js';
import { type Rule, readers, schedule } from '../../graph/rewrite.js';
import { divisorUpTo, SMALL } from './limits.js';

/** A GPU computes a single result in one group of threads: a sum over more numbers than this is cut up first. */
const LONG = 2 ** 16;

/** Sums of squares over whole tensors that are added up, as for the norm of all gradients: one sum over the tensors laid end to end. */
export function joinTotals(graph: Graph): Rule {
  const count = readers(graph);
  const inner = new Set<Value>();
  for (const value of schedule(graph)) {
    if (!isScalarSum(value)) continue;
    for (const x of value.inputs) if (isScalarSum(x) && count.get(x) === 1) inner.add(x);
  }
  return (build, value, original) => {
    if (!isScalarSum(original) || inner.has(original)) return undefined;
    const terms = termsOf(value, original, inner);
    const joinable = terms.filter(isSmallTotal);
    if (joinable.length < 3) return undefined;
    const flat = joinable.map(({ inputs: [x] }) => build.reshape(x!, [sizeOf(x!.shape)]));
    const total = build.reshape(build.reduce('sumSquare', build.concat(flat, 0), [0]), value.shape);
    const rest = terms.filter((x) => !isSmallTotal(x));
    return rest.reduce((sum, x) => build.binary('add', sum, x), total);
  };
}

const isScalarSum = (x: Value): boolean =>
  x.op === 'binary' &&
  x.attrs.f === 'add' &&
  x.dtype === 'float32' &&
  x.inputs.every(({ shape }) => sizeOf(shape) === 1);

const isSmallTotal = (x: Value): x is ValueOf<'reduce'> =>
  x.op === 'reduce' && x.attrs.f === 'sumSquare' && sizeOf(x.shape) === 1 && sizeOf(x.inputs[0]!.shape) <= SMALL;

/** The terms of nested sums; `inner` knows the sums as they were before the pass. */
function termsOf(value: Value, original: Value, inner: ReadonlySet<Value>): Value[] {
  return value.inputs.flatMap((x, i) => {
    const before = original.inputs[i]!;
    return inner.has(before) && isScalarSum(x) ? termsOf(x, before, inner) : [x];
  });
}

/** A sum over a large tensor in two steps: over its rows, which a GPU computes side by side, and over these. */
export const longTotals: Rule = (build, value) => {
  if (value.op !== 'reduce' || sizeOf(value.shape) !== 1 || value.dtype !== 'float32') return undefined;
  const { f } = value.attrs;
  const x = value.inputs[0]!;
  if (f === 'prod' || f === 'mean' || sizeOf(x.shape) <= LONG) return undefined;
  return build.reshape(inRows(build, f, x), value.shape);
};

function inRows(build: Builder, f: 'sum' | 'sumSquare' | 'max' | 'min', x: Value): Value {
  const size = sizeOf(x.shape);
  const length = size > LONG ? rowLength(size) : undefined;
  if (length === undefined) return build.reduce(f, build.reshape(x, [size]), [0]);
  const rows = build.reduce(f, build.reshape(x, [size / length, length]), [1]);
  return inRows(build, f === 'sumSquare' ? 'sum' : f, rows);
}

/** The largest divisor of a size from 64 to 1,024. */
function rowLength(size: number): number | undefined {
  const length = divisorUpTo(size, 1024);
  return length < 64 ? undefined : length;
}

import { sizeOf } from '@cert/core';
import type { HostArray } from '../devices/device.js';
import type { Builder } from '../graph/builder.js';
import { type Binary, sameShape, type Value, type ValueOf } from '../graph/ir.js';
import type { Rule } from '../graph/rewrite.js';

/**
 * Algebraic identities, folding of scalar constants, and virtual broadcasts: an `expand` is dropped where its consumer
 * broadcasts anyway, and otherwise moves behind the elementwise op that reads it.
 */
export const algebra: Rule = (build, value) => {
  const folded = fold(build, value);
  if (folded !== undefined) return folded;
  switch (value.op) {
    case 'unary':
      return unary(build, value);
    case 'cast':
    case 'transpose':
    case 'reshape':
    case 'expand':
      return view(build, value);
    case 'binary':
      return virtual(build, value) ?? binary(build, value);
    case 'where':
      return virtual(build, value);
    case 'reduce':
      return reduce(build, value);
    case 'matmul':
      return matmul(build, value);
    default:
      return undefined;
  }
};

/** The number of a scalar constant, looking through broadcasts. */
function scalarOf(value: Value): number | undefined {
  if (value.op === 'const' && value.data!.length === 1) return value.data![0];
  return value.op === 'expand' || value.op === 'reshape' ? scalarOf(value.inputs[0]!) : undefined;
}

const COMPUTE: { readonly [F in Binary]?: (a: number, b: number) => number } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
};

/** Arithmetic on float32 scalar constants, done now. */
function fold(build: Builder, value: Value): Value | undefined {
  if (value.dtype !== 'float32' || (value.op !== 'binary' && value.op !== 'unary')) return undefined;
  const numbers = value.inputs.map(scalarOf);
  if (numbers.some((n) => n === undefined)) return undefined;
  const [a, b] = numbers as [number, number];
  let result: number | undefined;
  if (value.op === 'binary') result = COMPUTE[value.attrs.f]?.(a, b);
  else if (value.attrs.f === 'neg') result = -a;
  else if (value.attrs.f === 'reciprocal') result = 1 / a;
  else if (value.attrs.f === 'sqrt') result = Math.sqrt(a);
  return result === undefined ? undefined : build.expand(build.scalar(Math.fround(result)), value.shape);
}

function unary(build: Builder, value: ValueOf<'unary'>): Value | undefined {
  const x = value.inputs[0]!;
  if (x.op === 'expand') return build.expand(build.unary(value.attrs.f, x.inputs[0]!), value.shape);
  if (value.attrs.f !== 'neg') return undefined;
  if (x.op === 'unary' && x.attrs.f === 'neg') return x.inputs[0];
  if (x.op === 'binary' && x.attrs.f === 'sub') return build.binary('sub', x.inputs[1]!, x.inputs[0]!);
  const scaled = scaling(x);
  return scaled && build.binary('mul', scaled.x, build.unary('neg', scaled.by));
}

/** Ops that only change how the same numbers are seen. */
function view(build: Builder, value: Value): Value | undefined {
  const x = value.inputs[0]!;
  const { shape } = value;
  switch (value.op) {
    case 'cast':
      return x.op === 'expand' ? build.expand(build.cast(x.inputs[0]!, value.dtype), shape) : undefined;
    case 'reshape':
      if (x.op === 'reshape') return build.reshape(x.inputs[0]!, shape);
      if (x.op === 'expand' && sizeOf(x.inputs[0]!.shape) === 1)
        return build.expand(build.reshape(x.inputs[0]!, []), shape);
      if (x.op === 'const') return build.const(x.data as HostArray, shape, x.dtype);
      return undefined;
    case 'expand':
      return x.op === 'expand' ? build.expand(x.inputs[0]!, shape) : undefined;
    case 'transpose': {
      const { perm } = value.attrs;
      if (x.op === 'transpose')
        return build.transpose(
          x.inputs[0]!,
          perm.map((p) => x.attrs.perm[p]!),
        );
      // Axes of size 1 move for free.
      const moved = perm.filter((p) => x.shape[p] !== 1);
      if (moved.every((p, i) => i === 0 || p > moved[i - 1]!)) return build.reshape(x, shape);
      if (x.op === 'expand') {
        const inner = padRank(build, x.inputs[0]!, x.shape.length);
        return build.expand(build.transpose(inner, perm), shape);
      }
      return undefined;
    }
    default:
      return undefined;
  }
}

/** Drops broadcasts of operands that the op broadcasts by itself; when every operand is one, broadcasts the result instead. */
function virtual(build: Builder, value: ValueOf<'binary'> | ValueOf<'where'>): Value | undefined {
  if (!value.inputs.some((x) => x.op === 'expand')) return undefined;
  const bare = value.inputs.map((x) => (x.op === 'expand' ? x.inputs[0]! : x)) as Value[];
  const result =
    value.op === 'binary' ? build.binary(value.attrs.f, bare[0]!, bare[1]!) : build.where(bare[0]!, bare[1]!, bare[2]!);
  return sameShape(result.shape, value.shape) ? result : build.expand(result, value.shape);
}

function binary(build: Builder, value: ValueOf<'binary'>): Value | undefined {
  const [a, b] = value.inputs as [Value, Value];
  const whole = (x: Value) => build.expand(x, value.shape);
  if (value.dtype !== 'float32') return undefined;
  const [left, right] = [scalarOf(a), scalarOf(b)];
  switch (value.attrs.f) {
    case 'add':
      if (left === 0) return whole(b);
      if (right === 0) return whole(a);
      if (isNeg(b)) return build.binary('sub', a, b.inputs[0]!);
      if (isNeg(a)) return build.binary('sub', b, a.inputs[0]!);
      return undefined;
    case 'sub':
      if (right === 0) return whole(a);
      if (left === 0) return whole(build.unary('neg', b));
      if (isNeg(b)) return build.binary('add', a, b.inputs[0]!);
      return undefined;
    case 'mul':
      if (left === 1) return whole(b);
      if (right === 1) return whole(a);
      if (left === -1) return whole(build.unary('neg', b));
      if (right === -1) return whole(build.unary('neg', a));
      return regroup(build, value);
    case 'div':
      if (right === 1) return whole(a);
      // One reciprocal of a small operand and a product that may merge with others.
      if (isSmall(b, a)) return build.binary('mul', a, build.unary('reciprocal', b));
      return undefined;
    default:
      return undefined;
  }
}

const isNeg = (x: Value): x is ValueOf<'unary'> => x.op === 'unary' && x.attrs.f === 'neg';

/** An operand so much smaller than the other that work on it is free. */
const isSmall = (small: Value, large: Value): boolean => sizeOf(small.shape) * 16 <= sizeOf(large.shape);

/** x * by with a small `by`, whichever way round it was written. */
function scaling(value: Value): { readonly x: Value; readonly by: Value } | undefined {
  if (value.op !== 'binary' || value.attrs.f !== 'mul') return undefined;
  const [a, b] = value.inputs as [Value, Value];
  if (isSmall(b, a)) return { x: a, by: b };
  return isSmall(a, b) ? { x: b, by: a } : undefined;
}

/** (x * s) * t to x * (s * t), for small s and t; -x * s to x * -s; -x * -y to x * y. */
function regroup(build: Builder, value: ValueOf<'binary'>): Value | undefined {
  const [a, b] = value.inputs as [Value, Value];
  if (isNeg(a) && isNeg(b)) return build.binary('mul', a.inputs[0]!, b.inputs[0]!);
  const outer = scaling(value);
  if (outer === undefined) return undefined;
  if (isNeg(outer.x)) return build.binary('mul', outer.x.inputs[0]!, build.unary('neg', outer.by));
  const inner = scaling(outer.x);
  return inner && build.binary('mul', inner.x, build.binary('mul', inner.by, outer.by));
}

function reduce(build: Builder, value: ValueOf<'reduce'>): Value | undefined {
  const x = value.inputs[0]!;
  const { f, axes, keepDims } = value.attrs;
  const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  if (f === 'mean' && x.dtype === 'float32') {
    return build.binary('mul', build.reduce('sum', x, axes, keepDims), build.scalar(Math.fround(1 / count)));
  }
  if (count === 1 && f !== 'sumSquare') return build.reshape(x, value.shape);
  // Over everything: ONNX Runtime squares and sums in one pass then, and is slow otherwise.
  if (f === 'sum' && axes.length === x.shape.length && x.op === 'binary' && x.attrs.f === 'mul') {
    if (x.inputs[0] === x.inputs[1]) return build.reduce('sumSquare', x.inputs[0]!, axes, keepDims);
  }
  if (f === 'sum' && x.op === 'expand') {
    const inner = padRank(build, x.inputs[0]!, x.shape.length);
    const repeats = axes.reduce((product, axis) => (inner.shape[axis] === 1 ? product * x.shape[axis]! : product), 1);
    const sum = build.reduce('sum', inner, axes, keepDims);
    return build.expand(build.binary('mul', sum, build.scalar(repeats, x.dtype)), value.shape);
  }
  return undefined;
}

/** Transposes of the last two axes become flags of the product. */
function matmul(build: Builder, value: ValueOf<'matmul'>): Value | undefined {
  const [a, b] = value.inputs as [Value, Value];
  const { transA, transB } = value.attrs;
  const [left, right] = [lastTwoSwapped(a), lastTwoSwapped(b)];
  if (left === undefined && right === undefined) return undefined;
  return build.matmul(left ?? a, right ?? b, transA !== (left !== undefined), transB !== (right !== undefined));
}

function lastTwoSwapped(x: Value): Value | undefined {
  if (x.op !== 'transpose') return undefined;
  const rank = x.shape.length;
  const swapped = x.attrs.perm.every((p, i) => p === (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
  return swapped ? x.inputs[0] : undefined;
}

/** The same value with axes of size 1 in front. */
export const padRank = (build: Builder, x: Value, rank: number): Value =>
  build.reshape(x, [...Array<number>(rank - x.shape.length).fill(1), ...x.shape]);

import { type Shape, sizeOf } from '@cert/core';
import type { Builder } from '../../graph/builder.js';
import { type Graph, sameShape, type Value, type ValueOf } from '../../graph/ir.js';
import { type Rule, readers } from '../../graph/rewrite.js';
import { isChannelVector } from './fuse.js';

/** factor * x, or x where there is no factor; a factor is a number or one for each channel. */
interface Term {
  readonly x: Value;
  readonly factor?: Value;
}

/** A sum of tensors of one shape times factors, plus shifts that are numbers or one for each channel. */
interface Combination {
  readonly terms: readonly Term[];
  readonly shifts: readonly Value[];
  /** The operations that it stands for, a pass over memory each. */
  readonly passes: number;
}

/**
 * Sums of scaled and shifted tensors, a pass over memory for each operation, become convolutions of single pixels, channel by channel:
 * one pass scales, shifts and adds what was there before. Tensors that are no blocked images are seen as one if they are large. For
 * the last passes: nothing simplifies what it makes.
 */
export function combinations(graph: Graph, size: number): Rule {
  const count = readers(graph);
  const outputs = new Set(graph.outputs);
  const parts = new Map<Value, Combination>();
  return (build, value, original) => {
    if (value.op !== 'binary' || value.dtype !== 'float32') return undefined;
    const image = asImage(value.shape, size);
    if (image === undefined) return undefined;
    const now = combination(build, value, (x, i) => (count.get(original.inputs[i]!) === 1 ? parts.get(x) : undefined));
    if (now === undefined) return undefined;
    // Where an output has another shape, ONNX Runtime copies the result, on one thread.
    const copies = outputs.has(original) && !sameShape(image, value.shape) ? 1 : 0;
    const isShorter = passesOf(now) + copies < now.passes;
    const result = isShorter ? build.reshape(emit(build, image, now), value.shape) : value;
    parts.set(result, now);
    return result;
  };
}

/** Numbers from which on a pass over memory costs more than a node. */
const LARGE = 32_768;

/** A shape as that of a blocked image. */
function asImage(shape: Shape, size: number): Shape | undefined {
  if (shape.length === 5 && shape[4] === size) return shape;
  const blocks = sizeOf(shape) / size;
  if (sizeOf(shape) < LARGE || !Number.isInteger(blocks)) return undefined;
  // Rows of a length that the kernel works well on.
  let width = 1024;
  while (blocks % width !== 0) width--;
  return width < 16 ? undefined : [1, 1, blocks / width, width, size];
}

/** What a value is as a combination; `known` are those of operands that nothing else reads. */
function combination(
  build: Builder,
  value: ValueOf<'binary'>,
  known: (x: Value, i: number) => Combination | undefined,
): Combination | undefined {
  const [a, b] = value.inputs as [Value, Value];
  const of = (x: Value, i: number): Combination => {
    if (isFactor(x, value)) return { terms: [], shifts: [x], passes: 0 };
    return known(x, i) ?? { terms: [{ x }], shifts: [], passes: 0 };
  };
  // Broadcasts of anything else than factors are left alone.
  if ([a, b].some((x) => !isFactor(x, value) && !sameShape(x.shape, value.shape))) return undefined;
  switch (value.attrs.f) {
    case 'add':
    case 'sub': {
      const [left, right] = [of(a, 0), of(b, 1)];
      const other = value.attrs.f === 'add' ? right : negated(build, right);
      const passes = left.passes + right.passes + 1;
      return { terms: [...left.terms, ...other.terms], shifts: [...left.shifts, ...other.shifts], passes };
    }
    case 'mul': {
      const [x, factor, i] = isFactor(b, value) ? [a, b, 0] : isFactor(a, value) ? [b, a, 1] : [];
      if (x === undefined || factor === undefined || isFactor(x, value)) return undefined;
      return known(x, i!) === undefined ? { terms: [{ x, factor }], shifts: [], passes: 1 } : undefined;
    }
    default:
      return undefined;
  }
}

const negated = (build: Builder, { terms, shifts, passes }: Combination): Combination => ({
  passes,
  terms: terms.map(({ x, factor }) => {
    if (factor === undefined) return { x, factor: build.scalar(-1) };
    return factor.op === 'const' && factor.data!.length === 1 && factor.data![0] === -1
      ? { x }
      : { x, factor: build.unary('neg', factor) };
  }),
  shifts: shifts.map((x) => build.unary('neg', x)),
});

/** A number, or one for each channel of a blocked image. */
const isFactor = (x: Value, value: Value): boolean => sizeOf(x.shape) === 1 || isChannelVector(x, value);

/** How many passes {@link emit} makes of it. */
function passesOf({ terms, shifts }: Combination): number {
  const scaled = terms.filter(({ factor }) => factor !== undefined).length;
  const others = terms.length - scaled;
  return scaled > 0 || shifts.length === 0 ? scaled + Math.max(0, others - 1) : Math.max(1, others - 1);
}

/** One convolution for each term with a factor, each with what came before as its addend; other terms are added. */
function emit(build: Builder, image: Shape, { terms, shifts }: Combination): Value {
  const [, groups, , , size] = image as [number, number, number, number, number];
  const channels = groups * size;
  const vector = (x: Value) => build.expand(build.reshape(x, sizeOf(x.shape) === 1 ? [1] : [channels]), [channels]);
  const none = vector(build.scalar(0));
  const shift = shifts.map(vector).reduce((a, b) => build.binary('add', a, b), none);
  const geometry = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: channels, relu: false } as const;
  const scaled = (x: Value, factor: Value, bias: Value, addend?: Value) => {
    const filter = build.reshape(vector(factor), [groups, 1, 1, 1, size]);
    return build.blockedConv(build.reshape(x, image), filter, geometry, bias, ...(addend ? [addend] : []));
  };
  const factors = terms.filter(({ factor }) => factor !== undefined);
  const others = terms.filter(({ factor }) => factor === undefined).map(({ x }) => build.reshape(x, image));
  // Shifts alone need a term to ride on.
  const riders = factors.length > 0 ? factors : [{ x: others.shift()!, factor: build.scalar(1) }];
  let sum = others.reduce<Value | undefined>((a, b) => (a ? build.binary('add', a, b) : b), undefined);
  riders.forEach(({ x, factor }, i) => {
    sum = scaled(x, factor!, i === 0 ? shift : none, sum);
  });
  return sum!;
}

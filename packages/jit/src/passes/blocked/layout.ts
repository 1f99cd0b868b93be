import type { Builder } from '../../graph/builder.js';
import type { Value, ValueOf } from '../../graph/ir.js';
import type { Rule } from '../../graph/rewrite.js';
import { padRank } from '../algebra.js';

/** Axes of [N, H, W, C] in the blocked form [N, C / size, H, W, size]. */
const MOVED: readonly (readonly number[])[] = [[0], [2], [3], [1, 4]];

/**
 * Layout assignment for blocked images: moves the `unblock` behind a convolution down through elementwise ops, reductions and the
 * like, until it meets the `block` in front of the next one and vanishes.
 */
export const blockedLayout: Rule = (build, value) => {
  const cancelled = cancel(build, value);
  if (cancelled !== undefined) return cancelled;
  const first = source(value.inputs[0]);
  const known = value.inputs.map(source).find((x) => x !== undefined);
  if (known === undefined) return undefined;
  const back = (x: Value) => build.unblock(x, 'channelsLast');
  switch (value.op) {
    case 'unary':
      return back(build.unary(value.attrs.f, first!));
    case 'cast':
      return back(build.cast(first!, value.dtype));
    case 'binary': {
      const [a, b] = value.inputs.map((x) => inner(build, x, known)) as [Value, Value];
      return value.shape.length === 4 ? back(build.binary(value.attrs.f, a, b)) : undefined;
    }
    case 'where': {
      const [c, a, b] = value.inputs.map((x) => inner(build, x, known)) as [Value, Value, Value];
      return value.shape.length === 4 ? back(build.where(c, a, b)) : undefined;
    }
    case 'reduce':
      return reduce(build, value, first!);
    case 'expand':
      return value.shape.length === 4 ? back(build.expand(first!, blockedShape(value.shape, first!))) : undefined;
    case 'slice': {
      const { begin, end, steps } = value.attrs;
      const size = first!.shape[4]!;
      if (begin[3]! % size !== 0 || end[3]! % size !== 0 || steps[3] !== 1) return undefined;
      const [low, high, by] = [
        blockedShape(begin, first!),
        blockedShape(end, first!),
        [steps[0]!, 1, steps[1]!, steps[2]!, 1],
      ];
      return back(build.slice(first!, [...low.slice(0, 4), 0], high, by));
    }
    case 'pad': {
      const { before, after, value: filler, mode } = value.attrs;
      if (before[3] !== 0 || after[3] !== 0) return undefined;
      const spread = ([n, h, w]: readonly number[]) => [n!, 0, h!, w!, 0];
      return back(build.pad(first!, spread(before), spread(after), filler, mode));
    }
    case 'concat': {
      const size = known.shape[4]!;
      if (value.inputs.some((x) => x.shape[3]! % size !== 0)) return undefined;
      const parts = value.inputs.map((x) => source(x) ?? build.block(x, size, 'channelsLast'));
      return back(build.concat(parts, MOVED[value.attrs.axis]![0]!));
    }
    default:
      return undefined;
  }
};

/** Conversions that undo each other or a transpose. */
function cancel(build: Builder, value: Value): Value | undefined {
  const x = value.inputs[0];
  if (value.op === 'block') {
    if (x!.op === 'unblock' && x!.inputs[0]!.shape[4] === value.attrs.size) {
      if ((x!.attrs.to === 'channelsLast') === (value.attrs.from === 'channelsLast')) return x!.inputs[0];
    }
    if (x!.op === 'transpose' && value.attrs.from === 'channelsFirst' && x!.attrs.perm.join() === '0,3,1,2') {
      return build.block(x!.inputs[0]!, value.attrs.size, 'channelsLast');
    }
    if (x!.op === 'transpose' && value.attrs.from === 'channelsLast' && x!.attrs.perm.join() === '0,2,3,1') {
      return build.block(x!.inputs[0]!, value.attrs.size, 'channelsFirst');
    }
  }
  if (value.op === 'transpose' && x!.op === 'unblock') {
    const { to } = x!.attrs;
    const perm = value.attrs.perm.join();
    if (to === 'channelsFirst' && perm === '0,2,3,1') return build.unblock(x!.inputs[0]!, 'channelsLast');
    if (to === 'channelsLast' && perm === '0,3,1,2') return build.unblock(x!.inputs[0]!, 'channelsFirst');
  }
  return undefined;
}

/** The blocked value behind an image with channels last. */
const source = (x: Value | undefined): Value | undefined =>
  x?.op === 'unblock' && x.attrs.to === 'channelsLast' ? x.inputs[0] : undefined;

/** Four numbers for [N, H, W, C] as five for the blocks of `like`. */
function blockedShape([n, h, w, c]: readonly number[], like: Value): number[] {
  const size = like.shape[4]!;
  return [n!, c! / size, h!, w!, size];
}

/** The blocked form of an operand of an elementwise op, another operand of which is `like`. */
function inner(build: Builder, x: Value, like: Value): Value {
  const known = source(x);
  if (known !== undefined) return known;
  const image = padRank(build, x, 4);
  const [n, h, w, c] = image.shape as [number, number, number, number];
  if (c === 1) return build.reshape(image, n * h * w === 1 ? [] : [n, 1, h, w, 1]);
  const size = like.shape[4]!;
  // A vector over channels needs no reordering.
  return n * h * w === 1 ? build.reshape(image, [1, c / size, 1, 1, size]) : build.block(image, size, 'channelsLast');
}

function reduce(build: Builder, value: ValueOf<'reduce'>, x: Value): Value {
  const { f, axes } = value.attrs;
  const reduced = build.reduce(
    f,
    x,
    axes.flatMap((axis) => MOVED[axis]!),
    true,
  );
  const [, groups, h, w] = reduced.shape;
  // Blocks of single pixels, or of single channels, are in the plain order.
  const plain = groups === 1 || (h === 1 && w === 1);
  return build.reshape(plain ? reduced : build.unblock(reduced, 'channelsLast'), value.shape);
}

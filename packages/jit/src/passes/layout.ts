import { sizeOf } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import { sameShape, type Value } from '../graph/ir.js';
import type { Rule } from '../graph/rewrite.js';
import { padRank } from './algebra.js';

/** The transpose that makes [N,H,W,C] of [N,C,H,W]: what stands between a convolution and code that thinks channels-last. */
const TO_CHANNELS_LAST = [0, 2, 3, 1];
const TO_CHANNELS_FIRST = [0, 3, 1, 2];

/**
 * Layout assignment: moves the transposes behind convolutions down through elementwise ops, reductions and the like, until they
 * meet the transpose in front of the next convolution and vanish. Images then stay channels-first from one to the next.
 */
export const layout: Rule = (build, value) => {
  const sources = value.inputs.map((x) => source(x));
  if (sources.every((x) => x === undefined)) return undefined;
  const first = sources[0];
  switch (value.op) {
    case 'unary':
    case 'cast':
      return back(build, value.op === 'unary' ? build.unary(value.attrs.f, first!) : build.cast(first!, value.dtype));
    case 'binary': {
      if (value.shape.length !== 4) return undefined;
      const [a, b] = value.inputs.map((x) => inner(build, x, value.shape));
      return back(build, build.binary(value.attrs.f, a!, b!));
    }
    case 'where': {
      if (value.shape.length !== 4) return undefined;
      const [c, a, b] = value.inputs.map((x) => inner(build, x, value.shape));
      return back(build, build.where(c!, a!, b!));
    }
    case 'reduce': {
      const { f, axes, keepDims } = value.attrs;
      const moved = axes.map((axis) => TO_CHANNELS_LAST[axis]!);
      const reduced = build.reduce(f, first!, moved, keepDims);
      if (keepDims) return back(build, reduced);
      const rest = TO_CHANNELS_LAST.filter((axis) => !moved.includes(axis));
      const ordered = [...rest].sort((a, b) => a - b);
      return build.transpose(
        reduced,
        rest.map((axis) => ordered.indexOf(axis)),
      );
    }
    case 'expand':
      return value.shape.length === 4
        ? back(
            build,
            build.expand(
              first!,
              TO_CHANNELS_FIRST.map((p) => value.shape[p]!),
            ),
          )
        : undefined;
    case 'slice': {
      const { begin, end, steps } = value.attrs;
      return back(build, build.slice(first!, permute(begin), permute(end), permute(steps)));
    }
    case 'pad': {
      const { before, after, value: filler, mode } = value.attrs;
      return back(build, build.pad(first!, permute(before), permute(after), filler, mode));
    }
    case 'concat': {
      const parts = value.inputs.map((x) => inner(build, x, x.shape));
      return back(build, build.concat(parts, TO_CHANNELS_LAST[value.attrs.axis]!));
    }
    default:
      return undefined;
  }
};

const permute = (list: readonly number[]): number[] => TO_CHANNELS_FIRST.map((p) => list[p]!);

/** The channels-first value behind a transpose to channels-last. */
const source = (x: Value): Value | undefined =>
  x.op === 'transpose' && x.attrs.perm.join() === TO_CHANNELS_LAST.join() ? x.inputs[0] : undefined;

const back = (build: Builder, x: Value): Value => build.transpose(x, TO_CHANNELS_LAST);

/** The channels-first form of an operand of an elementwise op whose result has the given channels-last shape. */
function inner(build: Builder, x: Value, shape: readonly number[]): Value {
  const known = source(x);
  if (known !== undefined) return known;
  if (sizeOf(x.shape) === 1) return build.reshape(x, []);
  const image = padRank(build, x, 4);
  const moved = TO_CHANNELS_FIRST.map((p) => image.shape[p]!);
  // A vector over channels: one reshape instead of a transpose.
  if (!sameShape(x.shape, shape) && image.shape.filter((n) => n !== 1).length === 1) return build.reshape(image, moved);
  return build.transpose(image, TO_CHANNELS_FIRST);
}

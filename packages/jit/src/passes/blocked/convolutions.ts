import type { Builder } from '../../graph/builder.js';
import type { Geometry, Value, ValueOf } from '../../graph/ir.js';
import type { Rule } from '../../graph/rewrite.js';
import { filterGradient } from './filter-gradient.js';

/**
 * Convolutions and their gradients on blocked images. ONNX Runtime convolves these directly, where other images are first
 * copied into matrices. For convolutions without groups and dilation whose channels come in whole blocks of `size`.
 */
export const blockedConvolutions =
  (size: number): Rule =>
  (build, value) => {
    switch (value.op) {
      case 'conv':
        return value.inputs.length === 2 ? convolution(build, value, size) : undefined;
      case 'convInputGrad':
        return inputGradient(build, value, size);
      case 'convFilterGrad':
        return filterGradient(build, value, size);
      default:
        return undefined;
    }
  };

function convolution(build: Builder, { inputs, attrs }: ValueOf<'conv'>, size: number): Value | undefined {
  const [x, w] = inputs as [Value, Value];
  const [n, channels] = x.shape as [number, number];
  const [filters, , kh, kw] = w.shape as [number, number, number, number];
  if (attrs.groups !== 1 || filters % size !== 0 || n === 0) return undefined;
  const geometry = { ...attrs, relu: false };
  if (channels % size === 0) {
    const blocked = build.blockedConv(build.block(x, size, 'channelsFirst'), blockFilters(build, w, size), geometry);
    return build.unblock(blocked, 'channelsFirst');
  }
  if (channels > size) return undefined;
  const split = build.reshape(hwio(build, w), [kh, kw, channels, filters / size, size]);
  return build.unblock(build.blockedConv(x, build.transpose(split, [3, 2, 0, 1, 4]), geometry), 'channelsFirst');
}

/**
 * The gradient of a convolution's input. With stride s, the pixels i * s + a for each a are a convolution of dy with every s-th
 * row of the mirrored filter; the results are interleaved.
 */
function inputGradient(build: Builder, value: ValueOf<'convInputGrad'>, size: number): Value | undefined {
  const [dy, w] = value.inputs as [Value, Value];
  const { strides, pads, dilations, groups } = value.attrs;
  const [n, channels, height, width] = value.shape as [number, number, number, number];
  const [filters, , kh, kw] = w.shape as [number, number, number, number];
  const plain = groups === 1 && dilations[0] === 1 && dilations[1] === 1;
  if (!plain || channels % size !== 0 || filters % size !== 0 || n === 0) return undefined;
  const rows = phases(height, dy.shape[2]!, kh, strides[0], pads[0]);
  const columns = phases(width, dy.shape[3]!, kw, strides[1], pads[1]);
  if (rows === undefined || columns === undefined) return undefined;

  const gradient = build.block(dy, size, 'channelsFirst');
  const filter = hwio(build, w);
  const [high, wide] = [Math.ceil(height / strides[0]), Math.ceil(width / strides[1])];
  const groupsOf = channels / size;
  const phase = (row: Phase, column: Phase): Value => {
    const shape = [n, groupsOf, high, wide, size];
    if (row.taps.length === 0 || column.taps.length === 0) return build.expand(build.scalar(0), shape);
    const taken = take(build, take(build, filter, row.taps, 0), column.taps, 1);
    const split = build.reshape(taken, [row.taps.length, column.taps.length, groupsOf, size, filters / size, size]);
    const geometry: Geometry = {
      strides: [1, 1],
      pads: [row.before, column.before, row.after, column.after],
      dilations: [1, 1],
      groups: 1,
    };
    return build.blockedConv(gradient, turnBlocks(build, split), { ...geometry, relu: false });
  };
  const lines = rows.map((row) => {
    const parts = columns.map((column) => build.reshape(phase(row, column), [n, groupsOf, high, wide, 1, size]));
    return build.reshape(build.concat(parts, 4), [n, groupsOf, high, 1, wide * strides[1] * size]);
  });
  const all = build.reshape(build.concat(lines, 3), [n, groupsOf, high * strides[0], wide * strides[1], size]);
  return build.unblock(build.slice(all, [0, 0, 0, 0, 0], [n, groupsOf, height, width, size]), 'channelsFirst');
}

/** [h, w, C / size, size, F / size, size] to [C / size, F / size, h, w, size of F, size of C], one axis at a time: that is fast. */
function turnBlocks(build: Builder, split: Value): Value {
  const [kh, kw, inGroups, size, outGroups] = split.shape as [number, number, number, number, number];
  const turned = build.transpose(split, [0, 1, 2, 4, 5, 3]);
  const blocks = build.reshape(turned, [kh * kw, inGroups * outGroups, size * size]);
  return build.reshape(build.transpose(blocks, [1, 0, 2]), [inGroups, outGroups, kh, kw, size, size]);
}

/** Along one axis: the filter elements that reach the pixels i * stride + a, and the padding of dy for them. */
interface Phase {
  readonly taps: readonly number[];
  readonly before: number;
  readonly after: number;
}

/** The phases a = 0, ..., stride - 1 of an axis; undefined where dy would have to be cut rather than padded. */
function phases(
  size: number,
  outputs: number,
  window: number,
  stride: number,
  pad: number,
): readonly Phase[] | undefined {
  const count = Math.ceil(size / stride);
  const list = Array.from({ length: stride }, (_, a) => {
    // Pixel i * stride + a of x met filter element k in output i + (a + pad - k) / stride.
    const taps = Array.from({ length: window }, (_v, k) => window - 1 - k).filter((k) => (a + pad - k) % stride === 0);
    const reach = (k: number) => (a + pad - k) / stride;
    if (taps.length === 0) return { taps, before: 0, after: 0 };
    return { taps, before: -reach(taps[0]!), after: count - 1 + reach(taps.at(-1)!) - (outputs - 1) };
  });
  return list.every(({ before, after }) => before >= 0 && after >= 0) ? list : undefined;
}

/** Some elements of an axis, in the given order. */
function take(build: Builder, x: Value, elements: readonly number[], axis: number): Value {
  if (elements.length === x.shape[axis] && elements.every((k, i) => k === i)) return x;
  return build.gather(x, build.const(Int32Array.from(elements), [elements.length], 'int32'), axis);
}

/** [F, C, h, w] to blocks. */
function blockFilters(build: Builder, w: Value, size: number): Value {
  const [filters, channels, kh, kw] = w.shape as [number, number, number, number];
  const split = build.reshape(hwio(build, w), [kh, kw, channels / size, size, filters / size, size]);
  return build.transpose(split, [4, 2, 0, 1, 3, 5]);
}

/** [F, C, h, w] to TensorFlow.js's order [h, w, C, F], whose last axis moves in whole blocks. */
const hwio = (build: Builder, w: Value): Value => build.transpose(w, [2, 3, 1, 0]);

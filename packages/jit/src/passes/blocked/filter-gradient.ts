import type { Builder } from '../../graph/builder.js';
import type { Value, ValueOf } from '../../graph/ir.js';
import { FEW, windows } from '../filter-gradient.js';

/** Channels that share a row: with a row for each, the convolution would have too few pixels in a row to be fast. */
const INTERLEAVED = 4;

/**
 * The gradient of a convolution's filter, of blocked x and dy. It is a convolution itself: images and channels change places, so
 * that x is a stack of one image for each channel with the minibatch as its channels, and dy is the filter. The blocks are then
 * of images: the minibatch must come in whole blocks. Rows of four channels are interleaved, pixel by pixel, and dilation keeps them
 * apart.
 */
export function filterGradient(build: Builder, value: ValueOf<'convFilterGrad'>, size: number): Value | undefined {
  const [x, dy] = value.inputs as [Value, Value];
  const [filters, channels, kh, kw] = value.shape as [number, number, number, number];
  const { strides, pads, dilations, groups } = value.attrs;
  const [n, , oh, ow] = dy.shape as [number, number, number, number];
  const plain = groups === 1 && dilations[0] === 1 && dilations[1] === 1;
  if (!plain || filters % size !== 0 || n === 0) return undefined;
  if (channels * kh * kw <= FEW) return fromWindows(build, value, size);
  if (channels % size !== 0 || n % size !== 0) return undefined;

  const [height, width] = [kh + (oh - 1) * strides[0], kw + (ow - 1) * strides[1]];
  // Above and below the convolution pads by itself, and leaves out the products with the padding.
  const lines = Math.min(x.shape[2]!, height - pads[0]);
  // All windows read padding alone.
  if (lines < 1) return undefined;
  const images = fit(build, build.block(x, size, 'channelsFirst'), pads[1], [lines, width]);
  const [inGroups, outGroups, batches] = [channels / size, filters / size, n / size];
  const parts = size / INTERLEAVED;
  // One axis at a time: that is fast. Blocks of images are blocks of channels of one image that has everything else as its pixels, and ONNX
  // Runtime makes these with several threads: [batches, inGroups, height, width, channel, image]. Then the channels' parts go in front.
  const inner = build.block(build.reshape(images, [1, n, inGroups * lines, width * size]), size, 'channelsFirst');
  const rows = build.transpose(
    build.reshape(inner, [batches, inGroups, lines * width, parts, INTERLEAVED * size]),
    [1, 3, 0, 2, 4],
  );
  const stack = build.reshape(rows, [inGroups * parts, batches, lines, width * INTERLEAVED, size]);
  // [batches, outGroups, oh, ow, image, filter]. Seen as images with a pixel for each image of a block, their channels move in whole blocks.
  const pixels = build.reshape(build.block(dy, size, 'channelsFirst'), [batches, size, 1, outGroups * oh * ow * size]);
  const moved = build.reshape(build.block(pixels, size, 'channelsLast'), [batches, outGroups, oh, ow, size, size]);
  const result = build.blockedConv(stack, build.transpose(moved, [1, 0, 2, 3, 4, 5]), {
    strides: [1, 1],
    pads: [pads[0], 0, height - pads[0] - lines, 0],
    dilations: [strides[0], strides[1] * INTERLEAVED],
    groups: 1,
    relu: false,
  });
  // [inGroups, parts, outGroups, kh, kw, INTERLEAVED, size] to [kh, kw, channels, filters].
  const split = build.reshape(result, [inGroups, parts, outGroups, kh, kw, INTERLEAVED, size]);
  const ordered = build.reshape(build.transpose(split, [3, 4, 0, 1, 5, 2, 6]), [kh, kw, channels, filters]);
  return build.transpose(ordered, [3, 2, 0, 1]);
}

/** Blocked images cut to `height` rows, with `before` columns of zeros in front, padded or cut to the given width. */
function fit(build: Builder, x: Value, before: number, [height, width]: readonly [number, number]): Value {
  const [n, groups, , w, size] = x.shape as [number, number, number, number, number];
  const padded = build.pad(x, [0, 0, 0, before, 0], [0, 0, 0, Math.max(0, width - before - w), 0]);
  return build.slice(padded, [0, 0, 0, 0, 0], [n, groups, height, width, size]);
}

/** For few channels: each block of dy times all windows of x, which are gathered first. */
function fromWindows(build: Builder, value: ValueOf<'convFilterGrad'>, size: number): Value {
  const [filters, channels, kh, kw] = value.shape as [number, number, number, number];
  const [n, , oh, ow] = value.inputs[1]!.shape as [number, number, number, number];
  const blocks = build.block(value.inputs[1]!, size, 'channelsFirst');
  const gradient = build.reshape(blocks, [n, filters / size, oh * ow, size]);
  const product = build.reduce('sum', build.matmul(gradient, windows(build, value), true, true), [0]);
  // [filters, kh * kw, channels] to [filters, channels, kh, kw].
  const taps = build.reshape(product, [filters, kh * kw, channels]);
  return build.reshape(build.transpose(taps, [0, 2, 1]), value.shape);
}

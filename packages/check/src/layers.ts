/**
 * The kinds of layer that bounds are computed for. A dense layer is a convolution of one pixel, an average or an input normalization a
 * convolution in which each channel sees itself alone, and what scales and shifts channels changes the layer before it.
 */
import { demand } from './refused.js';

/** An image, channels last or first in memory; a vector is an image of one pixel. */
export interface Grid {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly channelsLast: boolean;
}

/** How far apart the numbers of neighbouring pixels and channels are. */
export const stepsOf = ({ height, width, channels, channelsLast }: Grid): { pixel: number; channel: number } =>
  channelsLast ? { pixel: channels, channel: 1 } : { pixel: 1, channel: height * width };

/** How a kernel moves over an image: numbers for down and right. */
export interface Window {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** At the top, left, bottom and right. */
  readonly padding: readonly number[];
}

/** Each pixel by itself. */
export const POINT: Window = { size: [1, 1], stride: [1, 1], dilation: [1, 1], padding: [0, 0, 0, 0] };

/**
 * y = scale * (kernel * x) + shift for each output channel, over the real numbers. The kernel is float32 as in the file; scale and shift are
 * float64 and near the numbers that they stand for: |scale - true scale| <= rounded growth64(1) |scale| and so on.
 */
export interface AffineLayer {
  readonly kind: 'affine';
  readonly inputs: readonly [Layer];
  /** How many numbers it computes. */
  readonly size: number;
  readonly from: Grid;
  readonly to: Grid;
  /** Which pixels meet in which place of the kernel: triples of an output pixel, an input pixel and a place; padding has none. */
  readonly taps: Int32Array;
  /** How many places the kernel has. */
  readonly places: number;
  /** [places, channels / groups, filters], row by row. */
  readonly kernel: Float32Array;
  readonly groups: number;
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  /** What the roundings of the shift are relative to: the sum of the absolute values of its parts. */
  readonly shiftSize: Float64Array;
  /** How many products one output adds. */
  readonly terms: number;
  /** How many float32 roundings an execution makes at most on the way from a product or a part of the shift to the output. */
  readonly roundings: number;
  /** How many float64 roundings are in scale and shift here. */
  readonly rounded: number;
  /** Bounds each parameter times all that may multiply it later in this layer; what overflow and underflow depend on. */
  readonly amplitude: number;
}

/** The input of the network, max(x, 0), and the sum of two values. */
interface PlainLayer {
  readonly kind: 'input' | 'relu' | 'add';
  readonly name: string;
  readonly inputs: readonly Layer[];
  readonly size: number;
}

export type Layer = AffineLayer | PlainLayer;

/** What a layer computes, seen as an image. */
export interface Image {
  readonly layer: Layer;
  readonly grid: Grid;
}

/** How many numbers a shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
};

/** The places of a window on an image: how large the output is, and the triples of {@link AffineLayer.taps}. */
function slide({ height, width }: Grid, { size, stride, dilation, padding }: Window) {
  const positive = [size, stride, dilation].every((pair) => pair.length === 2 && pair.every((n) => n >= 1));
  demand(positive && padding.length === 4 && padding.every((n) => n >= 0), 'the window is not one of images');
  const [high, wide] = size as [number, number];
  const [top, left, bottom, right] = padding as [number, number, number, number];
  const rows = Math.floor((height + top + bottom - (high - 1) * dilation[0]! - 1) / stride[0]!) + 1;
  const columns = Math.floor((width + left + right - (wide - 1) * dilation[1]! - 1) / stride[1]!) + 1;
  demand(rows >= 1 && columns >= 1, 'the window is larger than the input');
  const places = high * wide;
  demand(rows * columns * places <= 2 ** 26, 'the window has more than 2^26 places');
  const taps = new Int32Array(3 * rows * columns * places);
  let count = 0;
  for (let pixel = 0; pixel < rows * columns; pixel++) {
    for (let place = 0; place < places; place++) {
      const y = Math.floor(pixel / columns) * stride[0]! + Math.floor(place / wide) * dilation[0]! - top;
      const x = (pixel % columns) * stride[1]! + (place % wide) * dilation[1]! - left;
      if (y < 0 || y >= height || x < 0 || x >= width) continue;
      taps.set([pixel, y * width + x, place], count);
      count += 3;
    }
  }
  return { rows, columns, places, taps: taps.subarray(0, count) };
}

/**
 * A convolution, or with one pixel a dense layer, without anything after it.
 *
 * @param kernel [places of the window, channels / groups, filters]
 * @param bias [filters]
 */
export function convolution(
  { layer, grid }: Image,
  window: Window,
  kernel: Float32Array,
  groups: number,
  bias: Float32Array,
): AffineLayer {
  const { rows, columns, places, taps } = slide(grid, window);
  const filters = bias.length;
  const terms = (places * grid.channels) / groups;
  demand(
    grid.channels % groups === 0 && filters % groups === 0 && kernel.length === terms * filters,
    `a kernel of ${kernel.length} numbers and ${filters} biases do not fit ${grid.channels} channels`,
  );
  const size = rows * columns * filters;
  demand(size <= 2 ** 26, 'the output has more than 2^26 numbers');
  return {
    ...{ kind: 'affine', inputs: [layer], size, taps, places, kernel, groups, terms },
    from: grid,
    to: { ...grid, height: rows, width: columns, channels: filters },
    scale: new Float64Array(filters).fill(1),
    shift: Float64Array.from(bias),
    shiftSize: Float64Array.from(bias, Math.abs),
    // One rounding of the product, one of each addition, the bias included, in whatever order.
    roundings: terms + 1,
    rounded: 0,
    amplitude: 1 + largest(kernel) + largest(bias),
  };
}

/** The sum of each channel over windows; with {@link POINT} the image itself. */
export function sums(image: Image, window: Window): AffineLayer {
  const { channels } = image.grid;
  const ones = new Float32Array(sizeOf(window.size) * channels).fill(1);
  return convolution(image, window, ones, channels, new Float32Array(channels));
}

/**
 * An affine layer and scale * y + shift for each output channel after it, as one layer. Scale and shift are float64 and at most 3 roundings
 * away from the numbers that they stand for.
 *
 * An execution may compute the two one after the other, or multiply the scale into the weights before. In both ways a product or a part of
 * the shift goes through at most 4 more roundings: scale or shift to float32, a product with the scale, a sum with the shift, and one more for
 * a scale that is a reciprocal. All is relative to |scale| (sum |w||x| + |shift before|) + |shift|, which is what the bounds use. The factor 2 of the
 * amplitude allows for as many cases of underflow again as there were before.
 */
export function scaled(layer: AffineLayer, scale: ArrayLike<number>, shift: ArrayLike<number>): AffineLayer {
  const { channels } = layer.to;
  demand(
    scale.length === channels && shift.length === channels,
    `there is not one number for each of ${channels} channels`,
  );
  return {
    ...layer,
    scale: layer.scale.map((s, c) => s * scale[c]!),
    shift: layer.shift.map((t, c) => t * scale[c]! + shift[c]!),
    shiftSize: layer.shiftSize.map((size, c) => size * Math.abs(scale[c]!) + Math.abs(shift[c]!)),
    roundings: layer.roundings + 4,
    rounded: layer.rounded + 6,
    amplitude: 2 * (layer.amplitude + largest(shift)) * (1 + largest(scale)),
  };
}

/** The mean of each channel over windows: a sum, then a division or a product with a rounded 1 / n; also where rows are averaged first. */
export function average(image: Image, window: Window): AffineLayer {
  const { channels } = image.grid;
  const shares = new Float64Array(channels).fill(1 / sizeOf(window.size));
  return scaled(sums(image, window), shares, new Float64Array(channels));
}

/** The affine layer that a scale and a shift of channels change: the one that computes the image if it has its channels, else one that changes nothing. */
export function affineOf({ layer, grid }: Image): AffineLayer {
  const sides = ({ height, width, channels }: Grid) => `${height} ${width} ${channels}`;
  return layer.kind === 'affine' && sides(layer.to) === sides(grid) ? layer : sums({ layer, grid }, POINT);
}

/**
 * A batch normalization: minus the mean, times 1 / sqrt(variance + epsilon), times gamma plus beta, as one layer with the affine layer before it.
 *
 * An execution may compute it as written; with a computed scale and shift; or with the scale multiplied into the weights before. In each of them a
 * product reaches the output through at most 8 more roundings (epsilon to float32, variance + epsilon, the root, its reciprocal, times gamma, times
 * w or the value, minus the mean, plus beta), and the three times 4 of {@link scaled} cover them. (A variance or epsilon that is flushed to 0
 * changes their sum, at least 2^-80, by less than a rounding.)
 *
 * @param numbers gamma, beta, mean and variance, each for every channel
 */
export function normalized(image: Image, numbers: readonly Float32Array[], epsilon: number): AffineLayer {
  const [gamma, beta, mean, variance] = numbers as [Float32Array, Float32Array, Float32Array, Float32Array];
  const reciprocals = Float64Array.from(variance, (value) => {
    const sum = value + epsilon;
    const normal = value >= 0 && epsilon >= 0 && sum >= 2 ** -80 && sum <= 2 ** 80;
    demand(normal, 'the variance or epsilon is below 0, or variance + epsilon outside of [2^-80, 2^80]');
    return 1 / Math.sqrt(sum);
  });
  const [ones, zeros] = [reciprocals.map(() => 1), reciprocals.map(() => 0)];
  const centered = scaled(
    affineOf(image),
    ones,
    mean.map((x) => -x),
  );
  return scaled(scaled(centered, reciprocals, zeros), gamma, beta);
}

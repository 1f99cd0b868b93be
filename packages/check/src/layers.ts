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

/** Where the number of a channel of a pixel lies. */
export const placeIn = ({ height, width, channels, channelsLast }: Grid, pixel: number, channel: number): number =>
  channelsLast ? pixel * channels + channel : channel * height * width + pixel;

/** How a kernel moves over an image, numbers for down and right; one pixel by itself where nothing is said. */
export interface Window {
  readonly size?: readonly number[];
  readonly stride?: readonly number[];
  readonly dilation?: readonly number[];
  /** At the top, left, bottom and right. */
  readonly padding?: readonly number[];
}

/**
 * y = scale * (kernel * x) + shift for each output channel, over the real numbers. The kernel is float32 as in the file; scale and shift are
 * float64 and near the numbers that they stand for: |scale - true scale| <= rounded growth64(1) |scale| and so on.
 *
 * The inputs of one output pixel and one group of channels are a patch. Each filter of the group multiplies its weights with them.
 */
export interface AffineLayer {
  readonly kind: 'affine';
  readonly inputs: readonly [Layer];
  /** How many numbers it computes. */
  readonly size: number;
  readonly to: Grid;
  readonly groups: number;
  /** How many products one output adds, padding included. */
  readonly terms: number;
  /** How many products one input is in at most. */
  readonly uses: number;
  /** Where the inputs of a patch lie, -1 for padding; until the next call. Patches are numbered by pixel, then by group. */
  readonly sourcesOf: (patch: number) => Int32Array;
  /** [filters, terms]. */
  readonly kernel: Float32Array;
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  /** What the roundings of the shift are relative to: the sum of the absolute values of its parts. */
  readonly shiftSize: Float64Array;
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

/** A value of the graph of a file: the layer that computes it, its shape there, and the image that it is seen as. */
export interface Value {
  readonly layer: Layer;
  readonly shape: readonly number[];
  readonly grid: Grid;
}

/** How many numbers a shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** [rows, columns] as [columns, rows]. */
export function transposed(data: Float32Array, columns: number): Float32Array {
  const rows = data.length / columns;
  return data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/**
 * A convolution, or with one pixel a dense layer, without anything after it.
 *
 * @param kernel [filters, channels / groups, places of the window], or with channels last [filters, places of the window, channels / groups]
 * @param bias [filters]
 */
export function convolution(
  { layer, grid }: Value,
  { size = [1, 1], stride = [1, 1], dilation = [1, 1], padding = [0, 0, 0, 0] }: Window,
  kernel: Float32Array,
  groups: number,
  bias: ArrayLike<number>,
): AffineLayer {
  const positive = [size, stride, dilation].every((pair) => pair.length === 2 && pair.every((n) => n >= 1));
  demand(positive && padding.length === 4 && padding.every((n) => n >= 0), 'the window is not one of images');
  const [height, width] = [grid.height, grid.width].map((side, i) => {
    const moves = side + padding[i]! + padding[i + 2]! - (size[i]! - 1) * dilation[i]! - 1;
    demand(moves >= 0, 'the window is larger than the input');
    return Math.floor(moves / stride[i]!) + 1;
  }) as [number, number];
  const to: Grid = { ...grid, height, width, channels: bias.length };
  const weights: Grid = { ...grid, height: size[0]!, width: size[1]!, channels: grid.channels / groups };
  const [pixels, places] = [height * width, sizeOf(size)];
  const terms = places * weights.channels;
  demand(
    grid.channels % groups === 0 && bias.length % groups === 0 && kernel.length === terms * bias.length,
    `a kernel of ${kernel.length} numbers and ${bias.length} biases do not fit ${grid.channels} channels`,
  );
  const count = pixels * bias.length;
  demand(count >= 1 && count <= 2 ** 26, `the output has ${count} numbers, not 1 to 2^26`);
  const sources = new Int32Array(terms);
  const sourcesOf = (patch: number): Int32Array => {
    const [pixel, first] = [Math.floor(patch / groups), (patch % groups) * weights.channels];
    for (let place = 0; place < places; place++) {
      const y = Math.floor(pixel / width) * stride[0]! + Math.floor(place / size[1]!) * dilation[0]! - padding[0]!;
      const x = (pixel % width) * stride[1]! + (place % size[1]!) * dilation[1]! - padding[1]!;
      const inside = y >= 0 && y < grid.height && x >= 0 && x < grid.width;
      for (let channel = 0; channel < weights.channels; channel++) {
        const source = inside ? placeIn(grid, y * grid.width + x, first + channel) : -1;
        sources[placeIn(weights, place, channel)] = source;
      }
    }
    return sources;
  };
  return {
    ...{ kind: 'affine', inputs: [layer], size: count, to, groups, terms, sourcesOf, kernel },
    uses: (places * bias.length) / groups,
    scale: new Float64Array(bias.length).fill(1),
    shift: Float64Array.from(bias),
    shiftSize: Float64Array.from(bias, Math.abs),
    // One rounding of the product, one of each addition, the bias included, in whatever order.
    roundings: terms + 1,
    rounded: 0,
    amplitude: 1 + largest(kernel) + largest(bias),
  };
}

/** The sum of each channel over windows. */
export function sums(value: Value, window: Window): AffineLayer {
  const { channels } = value.grid;
  const ones = new Float32Array(sizeOf(window.size ?? []) * channels).fill(1);
  return convolution(value, window, ones, channels, new Float32Array(channels));
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
  const fits = scale.length === channels && shift.length === channels;
  demand(fits, `there is not one number for each of ${channels} channels`);
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
export function average(value: Value, window: { readonly size: readonly number[] } & Window): AffineLayer {
  const { channels } = value.grid;
  const shares = new Float64Array(channels).fill(1 / sizeOf(window.size));
  return scaled(sums(value, window), shares, new Float64Array(channels));
}

/** The affine layer that a scale and a shift of channels change: the one that computes the image if it has its channels, else one that changes nothing. */
export function affineOf(value: Value): AffineLayer {
  const { layer, grid } = value;
  const sides = ({ height, width, channels }: Grid) => `${height} ${width} ${channels}`;
  return layer.kind === 'affine' && sides(layer.to) === sides(grid) ? layer : sums(value, {});
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
export function normalized(value: Value, numbers: readonly Float32Array[], epsilon: number): AffineLayer {
  const [gamma, beta, mean, variance] = numbers as [Float32Array, Float32Array, Float32Array, Float32Array];
  const reciprocals = Float64Array.from(variance, (value) => {
    const sum = value + epsilon;
    const normal = value >= 0 && epsilon >= 0 && sum >= 2 ** -80 && sum <= 2 ** 80;
    demand(normal, 'the variance or epsilon is below 0, or variance + epsilon outside of [2^-80, 2^80]');
    return 1 / Math.sqrt(sum);
  });
  const [ones, zeros] = [mean.map(() => 1), mean.map(() => 0)];
  const negative = mean.map((x) => -x);
  return scaled(scaled(scaled(affineOf(value), ones, negative), reciprocals, zeros), gamma, beta);
}

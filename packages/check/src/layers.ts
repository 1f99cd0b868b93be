/**
 * The three kinds of layer that bounds are computed for. A dense layer is a convolution of one pixel, an average or an input
 * normalization a convolution in which each channel sees itself alone, and a batch normalization changes the layer before it.
 */
import { demand } from './refused.js';

/** [height, width, channels]; a vector is one pixel. */
export type Shape3 = readonly [number, number, number];

/**
 * y = scale * (kernel * x) + shift for each output channel, over the real numbers. The kernel is float32 as in the file; scale and shift are
 * float64 and near the numbers that they stand for: |scale - true scale| <= 16 growth64(1) |scale| and so on, which `rounded` counts.
 */
export interface AffineLayer {
  readonly kind: 'affine';
  /** Which value it reads: 0 is the network's input, i + 1 the output of layer i. */
  readonly input: number;
  readonly from: Shape3;
  readonly to: Shape3;
  /** [height, width, channels / groups, filters], row by row. */
  readonly kernel: Float32Array;
  readonly size: readonly [number, number];
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  /** What the roundings of the shift are relative to: the sum of the absolute values of its parts. */
  readonly shiftSize: Float64Array;
  /** How many products one output adds. */
  readonly terms: number;
  /** How many float32 roundings an execution makes at most on the way to one output. */
  readonly roundings: number;
  /** How many float64 roundings are in scale and shift here. */
  readonly rounded: number;
  /** Bounds each parameter times all that may multiply it later in this layer; what overflow and underflow depend on. */
  readonly amplitude: number;
}

export interface ReluLayer {
  readonly kind: 'relu';
  readonly name: string;
  readonly input: number;
  readonly to: Shape3;
}

export interface AddLayer {
  readonly kind: 'add';
  readonly inputs: readonly [number, number];
  readonly to: Shape3;
}

export type Layer = AffineLayer | ReluLayer | AddLayer;

/** How many numbers a shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
};

/** A convolution, or with one pixel a dense layer, without anything after it. */
export function convolution(
  layer: Pick<AffineLayer, 'input' | 'from' | 'to' | 'kernel' | 'size' | 'stride' | 'padding' | 'groups'>,
  bias: Float32Array,
): AffineLayer {
  const terms = (layer.size[0] * layer.size[1] * layer.from[2]) / layer.groups;
  return {
    ...layer,
    kind: 'affine',
    scale: new Float64Array(layer.to[2]).fill(1),
    shift: Float64Array.from(bias),
    shiftSize: Float64Array.from(bias, Math.abs),
    terms,
    // One rounding of the product, one of each addition, the bias included, in whatever order.
    roundings: terms + 1,
    rounded: 0,
    amplitude: 1 + largest(layer.kernel) + largest(bias),
  };
}

/** x * scale + shift for each channel, with decimal numbers that each execution rounds to float32 first. */
export function channelwise(input: number, shape: Shape3, scale: number[], shift: number[]): AffineLayer {
  return {
    kind: 'affine',
    input,
    from: shape,
    to: shape,
    kernel: new Float32Array(shape[2]).fill(1),
    size: [1, 1],
    stride: 1,
    padding: 0,
    groups: shape[2],
    scale: Float64Array.from(scale),
    shift: Float64Array.from(shift),
    shiftSize: Float64Array.from(shift, Math.abs),
    terms: 1,
    roundings: 4,
    // The decimal in the file may be half a unit in the last place away from the float64 that was read.
    rounded: 2,
    amplitude: 1 + largest(scale) + largest(shift),
  };
}

/** The mean of each channel over windows: a sum, then a division or a product with a rounded 1 / n. */
export function average(
  input: number,
  from: Shape3,
  to: Shape3,
  size: readonly [number, number],
  stride: number,
): AffineLayer {
  const terms = size[0] * size[1];
  const channels = from[2];
  return {
    ...channelwise(input, from, new Array(channels).fill(1 / terms), new Array(channels).fill(0)),
    to,
    kernel: new Float32Array(terms * channels).fill(1),
    size,
    stride,
    terms,
    // Also where rows are averaged first, and then their means.
    roundings: terms + 4,
  };
}

/** What a batch normalization has for each channel. */
export interface BatchNorm {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}

/**
 * An affine layer and the batch normalization after it as one layer: with s = gamma / sqrt(variance + epsilon), scale' = scale s and
 * shift' = (shift - mean) s + beta.
 *
 * An execution may compute the pair in three ways: as written; with a computed scale and shift; or with the scale multiplied into the weights
 * before. In each of them every product w x reaches the output through the roundings of the layer and at most 8 more
 * (epsilon to float32, variance + epsilon, the root, its reciprocal, times gamma, times w or the value, minus the mean, plus beta), and so do bias, mean
 * and beta. All are within growth32(roundings + 12) (|s| (sum |w||x| + |bias| + |mean|) + |beta|) of the exact value, and that is
 * all that the bounds use. (A variance or epsilon that is flushed to 0 changes their sum, at least 2^-80, by less than a rounding.)
 */
export function normalized(where: string, layer: AffineLayer, norm: BatchNorm): AffineLayer {
  const [scale, shift, shiftSize] = [layer.scale.slice(), layer.shift.slice(), layer.shiftSize.slice()];
  const { gamma, beta, mean, variance, epsilon } = norm;
  let least = Number.POSITIVE_INFINITY;
  for (let c = 0; c < scale.length; c++) {
    const sum = variance[c]! + epsilon;
    demand(
      variance[c]! >= 0 && sum >= 2 ** -80 && sum <= 2 ** 80,
      `${where} has variance + epsilon outside of [2^-80, 2^80]`,
    );
    least = Math.min(least, sum);
    const s = gamma[c]! / Math.sqrt(sum);
    scale[c] = scale[c]! * s;
    shift[c] = (shift[c]! - mean[c]!) * s + beta[c]!;
    shiftSize[c] = (shiftSize[c]! + Math.abs(mean[c]!)) * Math.abs(s) + Math.abs(beta[c]!);
  }
  const factor = (1 + largest(gamma)) * (1 + 1 / Math.sqrt(least));
  return {
    ...layer,
    scale,
    shift,
    shiftSize,
    roundings: layer.roundings + 12,
    rounded: layer.rounded + 16,
    amplitude: (layer.amplitude + largest(mean) + largest(beta)) * factor,
  };
}

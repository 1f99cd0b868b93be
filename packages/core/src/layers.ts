import { type Layer, type Shape, sizeOf } from './model.js';

const none = { params: {}, stats: {} } as const;
const isImage = (shape: Shape) => shape.length === 3;

/**
 * Convolution of [height, width, channels] to [height', width', filters], where height' is
 * floor((height + 2 padding - kernel) / stride) + 1. Kernel [kernel, kernel, channels / groups, filters], bias [filters]. Zeros are
 * padded on every side alike, also with a stride: this is not TensorFlow.js's `same`. Shapes that do not fit are an error of
 * {@link GraphBuilder.add}.
 *
 * @param filters output channels
 * @param options.kernel side of the kernel in pixels; default 3
 * @param options.stride pixels from one output to the next; default 1
 * @param options.padding zeros on every side; default 1
 * @param options.groups into how many parts channels and filters are split, each part seeing its own channels alone; default 1
 */
export function conv2d(filters: number, { kernel = 3, stride = 1, padding = 1, groups = 1 } = {}): Layer<'conv2d'> {
  return {
    op: 'conv2d',
    attrs: { stride, padding, groups },
    infer(input) {
      if (!isImage(input)) return 'a convolution takes [height, width, channels]';
      const [h, w, c] = input as [number, number, number];
      if (c % groups !== 0 || filters % groups !== 0) {
        return `${c} input and ${filters} output channels cannot be split into ${groups} groups`;
      }
      const size = (n: number) => Math.floor((n + 2 * padding - kernel) / stride) + 1;
      if (size(h) < 1 || size(w) < 1) return `a ${kernel}x${kernel} kernel is larger than the padded image`;
      return {
        shape: [size(h), size(w), filters],
        params: { kernel: [kernel, kernel, c / groups, filters], bias: [filters] },
        stats: {},
      };
    },
  };
}

/** Affine map of [in] to [units]: x kernel + bias with kernel [in, units] and bias [units]. An image needs {@link flatten} before it. */
export function dense(units: number): Layer<'dense'> {
  return {
    op: 'dense',
    attrs: {},
    infer: (input) =>
      input.length === 1
        ? { shape: [units], params: { kernel: [input[0]!, units], bias: [units] }, stats: {} }
        : 'a dense layer takes a flat input; add flatten() before it',
  };
}

/**
 * Batch normalization of any shape, over every axis but the last: gamma (x - mean) / sqrt(variance + epsilon) + beta, all of shape
 * [channels].
 *
 * @param options.momentum weight of the new batch in the running statistics; default 0.1 (PyTorch's meaning, not TensorFlow's)
 * @param options.epsilon added to the variance; default 1e-5
 */
export function batchNorm({ momentum = 0.1, epsilon = 1e-5 } = {}): Layer<'batchNorm'> {
  return {
    op: 'batchNorm',
    attrs: { momentum, epsilon },
    infer(input) {
      const channels: Shape = [input.at(-1)!];
      return {
        shape: input,
        params: { gamma: channels, beta: channels },
        stats: { mean: channels, variance: channels },
      };
    },
  };
}

/** max(x, 0), any shape. */
export const relu = (): Layer<'relu'> => ({ op: 'relu', attrs: {}, infer: (shape) => ({ shape, ...none }) });

/** Sum of two nodes of equal shape: a residual connection. `builder.add(add(), ['left', 'right'])` */
export const add = (): Layer<'add'> => ({
  op: 'add',
  attrs: {},
  arity: 2,
  infer: (a, b) =>
    a!.length === b!.length && a!.every((n, i) => n === b![i])
      ? { shape: a!, ...none }
      : 'both inputs must have the same shape',
});

/** Any shape to a vector, row-major: [height, width, channels] to [height * width * channels]. */
export const flatten = (): Layer<'flatten'> => ({
  op: 'flatten',
  attrs: {},
  infer: (input) => ({ shape: [sizeOf(input)], ...none }),
});

/** Mean over height and width: [height, width, channels] to [channels]. */
export const globalAvgPool = (): Layer<'globalAvgPool'> => ({
  op: 'globalAvgPool',
  attrs: {},
  infer: (input) => (isImage(input) ? { shape: [input[2]!], ...none } : 'it takes [height, width, channels]'),
});

/**
 * Mean over windows of size x size pixels with that stride: [height, width, channels] to [floor(height / size), floor(width / size),
 * channels]. Pixels that no window covers are left out.
 */
export const avgPool = (size: number): Layer<'avgPool'> => ({
  op: 'avgPool',
  attrs: { size },
  infer: (input) =>
    isImage(input) && input[0]! >= size && input[1]! >= size
      ? { shape: [Math.floor(input[0]! / size), Math.floor(input[1]! / size), input[2]!], ...none }
      : `it takes [height, width, channels] of at least ${size}x${size}`,
});

/** x * scale + shift with fixed numbers, one of each per channel (last axis). */
export function affine(scale: readonly number[], shift: readonly number[]): Layer<'affine'> {
  return {
    op: 'affine',
    attrs: { scale, shift },
    infer: (input) =>
      input.at(-1) === scale.length && scale.length === shift.length
        ? { shape: input, ...none }
        : `it has ${scale.length} scales and ${shift.length} shifts for ${input.at(-1)} channels`,
  };
}

/** Input normalization of each channel, in the units of the pixels: (x - mean) / std. */
export interface Normalization {
  /** One finite number per channel. */
  readonly mean: readonly number[];
  /** One positive number per channel. */
  readonly std: readonly number[];
}

/**
 * Input normalization (x - mean) / std as a layer, one of each per channel (last axis): images, boxes and epsilon then stay in raw
 * pixel units.
 */
export const normalize = (mean: readonly number[], std: readonly number[]): Layer<'affine'> =>
  affine(
    std.map((s) => 1 / s),
    mean.map((m, i) => -m / std[i]!),
  );

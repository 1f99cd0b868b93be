import { type Layer, type Shape, sizeOf } from './model.js';
import { type Extent, mayMiss, misfitOfWindow, type Padding, placesOf, type Window, windowFrom } from './window.js';

const none = { params: {}, stats: {} } as const;
const isImage = (shape: Shape) => shape.length === 3;

/** The places of windows in an image [height, width, channels]; a string says why there are none. */
function placesIn(window: Window, input: Shape, what: string): string | readonly [number, number] {
  const misfit = misfitOfWindow(window);
  if (misfit !== undefined) return misfit;
  const places = placesOf(window, input);
  return places[0] < 1 || places[1] < 1 ? `${what} is larger than the padded image` : places;
}

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** Pixels on a side of the kernel, or its height and width; default 3. */
  readonly kernel?: Extent;
  /** Pixels from one output to the next; default 1. */
  readonly stride?: Extent;
  /** Zeros on every side, or at the top, bottom, left and right; default 1. */
  readonly padding?: Padding;
  /** Number of groups; each group of filters reads only the channels of the same group. Default 1. */
  readonly groups?: number;
  /** Pixels between adjacent kernel elements; default 1. */
  readonly dilation?: Extent;
}

/**
 * Convolution of [height, width, channels] to [height', width', filters], where height' is
 * floor((height + padding at both ends - dilation (kernel - 1) - 1) / stride) + 1. Kernel [kernel height, kernel width,
 * channels / groups, filters], bias [filters]. Padding given as one number is applied to every side, also with a stride, unlike `same` of
 * TensorFlow.js. {@link GraphBuilder.add} throws if shapes do not fit.
 *
 * @param filters output channels
 */
export function conv2d(
  filters: number,
  { kernel = 3, stride = 1, padding = 1, groups = 1, ...rest }: Conv2dOptions = {},
): Layer<'conv2d'> {
  const attrs = { stride, padding, groups, ...rest };
  return {
    op: 'conv2d',
    attrs,
    infer(input) {
      if (!isImage(input)) return 'a convolution takes [height, width, channels]';
      const channels = input[2]!;
      if (channels % groups !== 0 || filters % groups !== 0) {
        return `${channels} input and ${filters} output channels cannot be split into ${groups} groups`;
      }
      const window = windowFrom(kernel, attrs);
      const [height, width] = window.size;
      const places = placesIn(window, input, `a ${height}x${width} kernel`);
      if (typeof places === 'string') return places;
      return {
        shape: [...places, filters],
        params: { kernel: [height, width, channels / groups, filters], bias: [filters] },
        stats: {},
      };
    },
  };
}

/** Affine map of [in] to [units]: x kernel + bias with kernel [in, units] and bias [units]. Add {@link flatten} before it for images. */
export function dense(units: number): Layer<'dense'> {
  return {
    op: 'dense',
    attrs: {},
    infer: (input) =>
      input.length === 1
        ? { shape: [units], params: { kernel: [input[0]!, units], bias: [units] }, stats: {} }
        : 'a dense layer takes a flat input: add flatten() before the layer',
  };
}

/**
 * BatchNorm of any shape over all axes except the last: gamma (x - mean) / sqrt(variance + epsilon) + beta, all of shape [channels].
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

/** Options of {@link maxPool}, and of {@link avgPool}. */
export interface PoolOptions {
  /** Pixels from one window to the next; default: the window size (no overlap). */
  readonly stride?: Extent;
  /** Padding on every side, or at the top, bottom, left and right, smaller than the window; default 0. */
  readonly padding?: Padding;
}

function poolShape(size: Extent, options: PoolOptions, input: Shape): string | Shape {
  const window = windowFrom(size, options);
  const [height, width] = window.size;
  if (!isImage(input)) return `it takes [height, width, channels] of at least ${height}x${width}`;
  const places = placesIn(window, input, `a ${height}x${width} window`);
  if (typeof places === 'string') return places;
  if (mayMiss(window)) return `the padding [${window.padding}] is not smaller than the ${height}x${width} windows`;
  return [...places, input[2]!];
}

/**
 * Mean over windows: [height, width, channels] to [height', width', channels], where height' is
 * floor((height + padding at both ends - size) / stride) + 1. Pixels that no window covers are ignored.
 *
 * @param size pixels on a side of a window, or its height and width
 * @param options.countPadding whether padding counts as zeros; default false: the mean is over image pixels only
 */
export function avgPool(
  size: Extent,
  options: PoolOptions & { readonly countPadding?: boolean } = {},
): Layer<'avgPool'> {
  return {
    op: 'avgPool',
    attrs: { size, ...options },
    infer(input) {
      const shape = poolShape(size, options, input);
      return typeof shape === 'string' ? shape : { shape, ...none };
    },
  };
}

/**
 * Maximum over windows, with the shapes of {@link avgPool}. Padding is never the maximum.
 *
 * @param size pixels on a side of a window, or its height and width
 */
export function maxPool(size: Extent, options: PoolOptions = {}): Layer<'maxPool'> {
  return {
    op: 'maxPool',
    attrs: { size, ...options },
    infer(input) {
      const shape = poolShape(size, options, input);
      return typeof shape === 'string' ? shape : { shape, ...none };
    },
  };
}

/**
 * x where x >= 0, slope x elsewhere; any shape.
 *
 * @param slope from 0, less than 1; default 0.01
 */
export const leakyRelu = (slope = 0.01): Layer<'leakyRelu'> => ({
  op: 'leakyRelu',
  attrs: { slope },
  infer: (shape) =>
    slope >= 0 && slope < 1 ? { shape, ...none } : `the slope is ${slope} instead of a number >= 0 and < 1`,
});

/** 1 / (1 + exp(-x)), any shape. */
export const sigmoid = (): Layer<'sigmoid'> => ({ op: 'sigmoid', attrs: {}, infer: (shape) => ({ shape, ...none }) });

/** The hyperbolic tangent, any shape. */
export const tanh = (): Layer<'tanh'> => ({ op: 'tanh', attrs: {}, infer: (shape) => ({ shape, ...none }) });

/** exp(x) / sum of exp(x) over the last axis. Bound methods do not support softmax: bound the logits instead. */
export const softmax = (): Layer<'softmax'> => ({ op: 'softmax', attrs: {}, infer: (shape) => ({ shape, ...none }) });

/**
 * Reshapes, row-major.
 *
 * @param shape without the batch axis, with as many elements as the input has
 */
export const reshape = (shape: Shape): Layer<'reshape'> => ({
  op: 'reshape',
  attrs: { shape },
  infer: (input) =>
    sizeOf(input) === sizeOf(shape)
      ? { shape, ...none }
      : `[${shape}] has ${sizeOf(shape)} elements, but the input has ${sizeOf(input)}`,
});

/**
 * Permutes axes: `transpose([2, 0, 1])` turns [height, width, channels] into [channels, height, width].
 *
 * @param perm for each output axis, the input axis; axes count from 0 without the batch
 */
export const transpose = (perm: readonly number[]): Layer<'transpose'> => ({
  op: 'transpose',
  attrs: { perm },
  infer: (input) =>
    perm.length === input.length && input.every((_, axis) => perm.includes(axis))
      ? { shape: perm.map((axis) => input[axis]!), ...none }
      : `[${perm}] is not a permutation of the ${input.length} input axes`,
});

/**
 * Concatenates nodes along an axis; all other axes must agree. `builder.add(concat(2), ['left', 'right'])`
 *
 * @param axis counts from 0 without the batch
 * @param arity number of inputs, at least 2; default 2
 */
export const concat = (axis: number, arity = 2): Layer<'concat'> => ({
  op: 'concat',
  attrs: { axis },
  arity,
  infer(...inputs) {
    const first = inputs[0]!;
    if (inputs.length < 2) return 'it takes at least 2 inputs';
    if (!Number.isInteger(axis) || axis < 0 || axis >= first.length) return `there is no axis ${axis}`;
    const fits = inputs.every((s) => s.length === first.length && s.every((n, i) => i === axis || n === first[i]));
    if (!fits) return `the input shapes may differ only along axis ${axis}`;
    const length = inputs.reduce((sum, shape) => sum + shape[axis]!, 0);
    return { shape: first.map((n, i) => (i === axis ? length : n)), ...none };
  },
});

/** x * scale + shift with constants: one pair per channel (last axis), or one pair per element, row-major. */
export function affine(scale: readonly number[], shift: readonly number[]): Layer<'affine'> {
  return {
    op: 'affine',
    attrs: { scale, shift },
    infer: (input) =>
      scale.length === shift.length && (scale.length === input.at(-1) || scale.length === sizeOf(input))
        ? { shape: input, ...none }
        : `it has ${scale.length} scales and ${shift.length} shifts for ${input.at(-1)} channels and ${sizeOf(input)} elements`,
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
 * Input normalization (x - mean) / std as a layer, one pair per channel (last axis). Images, boxes and epsilon stay in raw pixel units.
 */
export const normalize = (mean: readonly number[], std: readonly number[]): Layer<'affine'> =>
  affine(
    std.map((s) => 1 / s),
    mean.map((m, i) => -m / std[i]!),
  );

import type { Layer, Shape } from './model.js';

const none = { params: {}, stats: {} } as const;
const isImage = (shape: Shape) => shape.length === 3;

/**
 * Convolution with a square kernel, symmetric zero padding and optional groups.
 *
 * @param filters output channels
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

/** Affine map to `units` outputs. */
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

/** Batch normalization over every axis but the last. `momentum` is the weight of the new batch. */
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

/** max(x, 0). */
export const relu = (): Layer<'relu'> => ({ op: 'relu', attrs: {}, infer: (shape) => ({ shape, ...none }) });

/** Sum of two nodes: a residual connection. */
export const add = (): Layer<'add'> => ({
  op: 'add',
  attrs: {},
  arity: 2,
  infer: (a, b) =>
    a!.length === b!.length && a!.every((n, i) => n === b![i])
      ? { shape: a!, ...none }
      : 'both inputs must have the same shape',
});

/** [height, width, channels] to a vector, row-major. */
export const flatten = (): Layer<'flatten'> => ({
  op: 'flatten',
  attrs: {},
  infer: (input) => ({ shape: [input.reduce((a, b) => a * b, 1)], ...none }),
});

/** Mean over height and width. */
export const globalAvgPool = (): Layer<'globalAvgPool'> => ({
  op: 'globalAvgPool',
  attrs: {},
  infer: (input) => (isImage(input) ? { shape: [input[2]!], ...none } : 'it takes [height, width, channels]'),
});

/** Mean over windows of `size` x `size`, stride `size`. */
export const avgPool = (size: number): Layer<'avgPool'> => ({
  op: 'avgPool',
  attrs: { size },
  infer: (input) =>
    isImage(input) && input[0]! >= size && input[1]! >= size
      ? { shape: [Math.floor(input[0]! / size), Math.floor(input[1]! / size), input[2]!], ...none }
      : `it takes [height, width, channels] of at least ${size}x${size}`,
});

/** x * scale + shift per channel, fixed. */
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

/** Input normalization (x - mean) / std per channel, as a layer, so that boxes stay in the raw pixel range. */
export const normalize = (mean: readonly number[], std: readonly number[]): Layer<'affine'> =>
  affine(
    std.map((s) => 1 / s),
    mean.map((m, i) => -m / std[i]!),
  );

/**
 * The kinds of layer that bounds are computed for. All that adds up is affine: convolutions, dense layers, averages, sums of two values, and what
 * scales and shifts numbers, which changes the affine layer before it.
 */
import { demand } from './refused.js';

/** The input of the network, or max(x, 0). */
interface PlainLayer {
  readonly kind: 'input' | 'relu';
  readonly name: string;
  readonly inputs: readonly Layer[];
  readonly size: number;
}

/**
 * y = scale * (kernel * x) + shift for each output, over the real numbers. The kernel is float32 as in the file; scale and shift are float64 and near
 * the numbers that they stand for: fewer than 2 `roundings` away, relative to |scale| and `shiftSize`.
 */
export class AffineLayer {
  readonly kind = 'affine';
  constructor(
    /** x has the numbers of all of them, one layer after the other. */
    readonly inputs: readonly Layer[],
    /** How many products one output adds, padding included. */
    readonly terms: number,
    /** Where the weights of an output begin in the kernel, and the number of x for each, -1 for padding. */
    readonly rowOf: (output: number) => { readonly first: number; readonly sources: Int32Array },
    readonly kernel: ArrayLike<number>,
    readonly shift: Float64Array,
    /** How many numbers it computes. */
    readonly size = shift.length,
    readonly scale = shift.map(() => 1),
    /** What the roundings of the shift are relative to: the sum of the absolute values of its parts. */
    readonly shiftSize = shift.map(Math.abs),
    /**
     * How many float32 roundings an execution makes at most on the way from a product or a part of the shift to the output: one of the product, one of each
     * addition, the bias and a value of {@link add} included, in whatever order.
     */
    readonly roundings = terms + 2,
    /** Bounds each parameter times all that may multiply it later in this layer; what overflow and underflow depend on. */
    readonly amplitude = 1 + largest(kernel) + largest(shift),
  ) {}
}

export type Layer = AffineLayer | PlainLayer;

/** A value of the graph of a file: the layer that computes it, and its shape there. */
export interface Value {
  readonly layer: Layer;
  /** Of an image [height, width, channels], or [1, channels, height, width]. */
  readonly shape: readonly number[];
  readonly channelsLast: boolean;
}

/** A float32 tensor of the file, or other numbers with a shape. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** How many numbers a shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Whether two lists are the same. */
export const same = (a: readonly number[], b: readonly number[]): boolean => `${a}` === `${b}`;

/** [rows, columns] as [columns, rows]. */
function transposed(data: ArrayLike<number>, columns: number): Float32Array {
  const rows = data.length / columns;
  return Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** The number of a tensor for each place of a value, where sides of 1 and sides that are missing in front repeat; the tensor must not be larger than the value. */
export function broadcast({ shape, data }: Tensor, to: readonly number[]): Float64Array {
  const sides = [...to.map(() => 1), ...shape].slice(-to.length);
  const fits = shape.length <= to.length && sides.every((n, axis) => n === 1 || n === to[axis]);
  demand(fits, `a tensor of the shape [${shape}] does not fit [${to}]`);
  const stepsIn = (shape: readonly number[]) => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const [steps, own] = [stepsIn(to), stepsIn(sides)];
  const at = (i: number) => sides.reduce((sum, n, axis) => sum + (Math.floor(i / steps[axis]!) % n) * own[axis]!, 0);
  return Float64Array.from({ length: sizeOf(to) }, (_, i) => data[at(i)]!);
}

/** The number of its channel for each place of a value. */
export function perChannel({ shape, channelsLast }: Omit<Value, 'layer'>, data: ArrayLike<number>): Float64Array {
  const channels = channelsLast ? shape.at(-1) : shape[1];
  demand(data.length === channels, `there is not one number for each of ${channels} channels`);
  const after = channelsLast ? [] : shape.slice(2).map(() => 1);
  return broadcast({ shape: [data.length, ...after], data }, shape);
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/**
 * The product of a vector and a matrix [rows, columns] plus a bias.
 *
 * @param kernel the matrix, or its transpose
 */
export function dense(value: Value, { shape: sides, data }: Tensor, isTransposed: boolean, bias?: Tensor): Value {
  const [rows, columns] = (isTransposed ? sides.toReversed() : sides) as [number, number];
  const fits = sides.length === 2 && rows === value.layer.size && value.shape.at(-1) === rows;
  demand(fits, `no rule for the product of [${value.shape}] and [${sides}]`);
  const shape = [...value.shape.slice(0, -1), columns];
  const kernel = isTransposed ? data : transposed(data, columns);
  const sources = Int32Array.from({ length: rows }, (_, i) => i);
  const rowOf = (output: number) => ({ first: output * rows, sources });
  const shift = bias === undefined ? new Float64Array(columns) : broadcast(bias, shape);
  return { ...value, shape, layer: new AffineLayer([value.layer], rows, rowOf, kernel, shift) };
}

/** How a window moves over an image, as in ONNX: numbers for down and right; padding at the top, left, bottom and right. */
export const WINDOW = {
  auto_pad: 'NOTSET',
  /** Empty where the kernel says it. */
  kernel_shape: [] as readonly number[],
  ...{ strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
};
type Window = typeof WINDOW;

/** Height, width and channels of an image. */
function sidesOf({ shape, channelsLast }: Value): readonly number[] {
  const isImage = channelsLast ? shape.length === 3 : shape.length === 4 && shape[0] === 1;
  demand(isImage, `the input [${shape}] is not one image`);
  return channelsLast ? shape : [...shape.slice(2), shape[1]!];
}

/**
 * A convolution of an image.
 *
 * @param kernel [filters, channels / groups, height, width], or with channels last [height, width, channels / groups, filters]
 * @param bias [filters]; undefined: 0
 */
export function convolution(value: Value, kernel: Tensor, bias: Tensor | undefined, groups: number, window: Window) {
  const { channelsLast } = value;
  const [height, width, channels] = sidesOf(value) as [number, number, number];
  const { auto_pad, kernel_shape, strides, dilations, pads } = window;
  const axes = channelsLast ? [3, 2, 0, 1] : [0, 1, 2, 3];
  const [filters, perGroup, ...size] = axes.map((axis) => kernel.shape[axis] ?? 0) as [number, number, number, number];
  const given = auto_pad === 'NOTSET' && (kernel_shape.length === 0 || same(kernel_shape, size));
  demand(given, 'the window is not given by its numbers');
  const whole = (list: readonly number[], length: number, least: number) =>
    list.length === length && list.every((n) => Number.isInteger(n) && n >= least);
  const valid = [size, strides, dilations].every((pair) => whole(pair, 2, 1)) && whole(pads, 4, 0);
  demand(valid && kernel.shape.length === 4, 'the window is not one of images');
  const [rows, columns] = [height, width].map((side, i) => {
    const moves = side + pads[i]! + pads[i + 2]! - (size[i]! - 1) * dilations[i]! - 1;
    demand(moves >= 0, 'the window is larger than the input');
    return Math.floor(moves / strides[i]!) + 1;
  }) as [number, number];
  const fits = Number.isInteger(groups) && perGroup * groups === channels && filters % groups === 0;
  demand(fits, `a kernel of the shape [${kernel.shape}] in ${groups} groups does not fit ${channels} channels`);
  const shape = channelsLast ? [rows, columns, filters] : [1, filters, rows, columns];
  const count = sizeOf(shape);
  demand(count >= 1 && count <= 2 ** 26, `the output has ${count} numbers, not 1 to 2^26`);
  const places = sizeOf(size);
  const terms = places * perGroup;
  const sourceOf = (pixel: number, group: number, term: number): number => {
    const place = channelsLast ? Math.floor(term / perGroup) : term % places;
    const channel = group * perGroup + (channelsLast ? term % perGroup : Math.floor(term / places));
    const y = Math.floor(pixel / columns) * strides[0]! + Math.floor(place / size[1]!) * dilations[0]! - pads[0]!;
    const x = (pixel % columns) * strides[1]! + (place % size[1]!) * dilations[1]! - pads[1]!;
    if (y < 0 || y >= height || x < 0 || x >= width) return -1;
    return channelsLast ? (y * width + x) * channels + channel : (channel * height + y) * width + x;
  };
  // The inputs of one output pixel and one group of channels are a patch, which the filters of the group share.
  const patches = new Array<Int32Array | undefined>(rows * columns * groups);
  const rowOf = (output: number) => {
    const [pixel, filter] = channelsLast
      ? [Math.floor(output / filters), output % filters]
      : [output % (rows * columns), Math.floor(output / rows / columns)];
    const group = Math.floor((filter * groups) / filters);
    const patch = pixel * groups + group;
    const sources = patches[patch] ?? Int32Array.from({ length: terms }, (_, term) => sourceOf(pixel, group, term));
    patches[patch] = sources;
    return { first: filter * terms, sources };
  };
  const weights = channelsLast ? transposed(kernel.data, filters) : kernel.data;
  const shift = perChannel({ shape, channelsLast }, bias?.data ?? new Float32Array(filters));
  return { shape, channelsLast, layer: new AffineLayer([value.layer], terms, rowOf, weights, shift) };
}

/** The mean of each channel over windows: a sum, then a division or a product with a rounded 1 / n; also where rows are averaged first. */
export function average(value: Value, window: Window = { ...WINDOW, kernel_shape: sidesOf(value).slice(0, 2) }): Value {
  const [size, channels] = [window.kernel_shape, sidesOf(value)[2]!];
  const shape = value.channelsLast ? [...size, 1, channels] : [channels, 1, ...size];
  const sum = convolution(value, { shape, data: new Float32Array(sizeOf(shape)).fill(1) }, undefined, channels, window);
  const share = new Float64Array(sum.layer.size).fill(1 / sizeOf(size));
  return scaled(sum, share, new Float64Array(sum.layer.size));
}

/** The sum of two values. An execution may add one of them among the products that the other is the sum of, as ONNX Runtime does behind a convolution. */
export function add(a: Value, b: Value): Value {
  demand(same(a.shape, b.shape), `no rule for values of [${a.shape}] and [${b.shape}]`);
  const { size } = a.layer;
  const rowOf = (output: number) => ({ first: 0, sources: Int32Array.of(output, size + output) });
  const sum = new AffineLayer([a.layer, b.layer], 2, rowOf, Float32Array.of(1, 1), new Float64Array(size));
  const before = [a.layer, b.layer].map((layer) => (layer.kind === 'affine' ? layer.roundings : 0));
  return { ...a, layer: { ...sum, roundings: 1 + Math.max(...before) } };
}

/**
 * scale * x + shift for each number of a value, as one layer with an affine layer before it. Scale and shift are float64 and at most 3 roundings
 * away from the numbers that they stand for.
 *
 * An execution may compute the two one after the other, or multiply the scale into the weights before. In both ways a product or a part of
 * the shift goes through at most 4 more roundings: scale or shift to float32, a product with the scale, a sum with the shift, and one more for
 * a scale that is a reciprocal. All is relative to |scale| (sum |w||x| + |shift before|) + |shift|, which is what the bounds use. The factor 2 of the
 * amplitude allows for as many cases of underflow again as there were before.
 */
export function scaled(value: Value, scale: Float64Array, shift: Float64Array): Value {
  const { layer } = value;
  const [zeros, rowOf] = [shift.map(() => 0), (output: number) => ({ first: 0, sources: Int32Array.of(output) })];
  const before = layer.kind === 'affine' ? layer : new AffineLayer([layer], 1, rowOf, Float32Array.of(1), zeros);
  return {
    ...value,
    layer: {
      ...before,
      scale: before.scale.map((s, i) => s * scale[i]!),
      shift: before.shift.map((t, i) => t * scale[i]! + shift[i]!),
      shiftSize: before.shiftSize.map((size, i) => size * Math.abs(scale[i]!) + Math.abs(shift[i]!)),
      roundings: before.roundings + 4,
      amplitude: 2 * (before.amplitude + largest(shift)) * (1 + largest(scale)),
    },
  };
}

/**
 * A batch normalization: minus the mean, times 1 / sqrt(variance + epsilon), times gamma plus beta. Each has a number for every channel.
 *
 * An execution may compute it as written; with a computed scale and shift; or with the scale multiplied into the weights before. In each of them a
 * product reaches the output through at most 8 more roundings (epsilon to float32, variance + epsilon, the root, its reciprocal, times gamma, times
 * w or the value, minus the mean, plus beta), and the three times 4 of {@link scaled} cover them. (A variance or epsilon that is flushed to 0
 * changes their sum, at least 2^-80, by less than a rounding.)
 */
export function normalized(value: Value, numbers: readonly ArrayLike<number>[], epsilon: number): Value {
  const [gamma, beta, mean, variance] = numbers.map((each) => perChannel(value, each));
  const reciprocals = variance!.map((each) => {
    const sum = each + epsilon;
    const normal = each >= 0 && epsilon >= 0 && sum >= 2 ** -80 && sum <= 2 ** 80;
    demand(normal, 'the variance or epsilon is below 0, or variance + epsilon outside of [2^-80, 2^80]');
    return 1 / Math.sqrt(sum);
  });
  const [ones, zeros, negative] = [mean!.map(() => 1), mean!.map(() => 0), mean!.map((each) => -each)];
  return scaled(scaled(scaled(value, ones, negative), reciprocals, zeros), gamma!, beta!);
}

/** max(x, 0). */
export const relu = (name: string, value: Value): Value => ({
  ...value,
  layer: { kind: 'relu', name, inputs: [value.layer], size: value.layer.size },
});

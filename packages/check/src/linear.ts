/**
 * Lower bounds of logit_label - logit_j by going backward through the network (Zhang et al., Efficient Neural Network Robustness Certification with
 * General Activation Functions, 2018): at each step the margin is at least a linear function of some values, plus a constant.
 *
 * The coefficients are the numbers that this program holds, exactly. Where computing them rounds, the difference times the largest
 * absolute value that it is multiplied by is subtracted at once, so that no error is carried along.
 */
import { addError, type Bounds, centerAndRadius, errorOf, type Level, magnitudeOf, widestOf } from './ibp.js';
import { type AffineLayer, type ReluLayer, sizeOf } from './layers.js';
import type { Network } from './network.js';
import { demand } from './refused.js';
import { down, growth64, up } from './rounding.js';

/** Lower slopes of ReLU neurons, by node; the rule of {@link lowerSlope} where a node has none. */
export type Slopes = ReadonlyMap<string, Float32Array>;

/** The margin is at least `constant` - `loss` + what the coefficients give, up to the rounding of these two sums. */
class Margin {
  /** Coefficients of values that are still to be replaced. */
  readonly #coefficients = new Map<number, Float64Array>();
  #constant = 0;
  /** The sum of the absolute values of all parts of the constant, which its rounding is relative to. */
  #size = 0;
  #loss = 0;
  #additions = 0;

  constructor(
    readonly values: readonly Bounds[],
    readonly level: Level,
  ) {}

  take(value: number): Float64Array | undefined {
    const coefficients = this.#coefficients.get(value);
    this.#coefficients.delete(value);
    return coefficients;
  }

  /** Adds coefficients; where two paths meet, the sum rounds. */
  put(value: number, added: Float64Array): void {
    const before = this.#coefficients.get(value);
    if (before !== undefined) {
      for (let i = 0; i < added.length; i++) {
        added[i]! += before[i]!;
        this.lose(Math.abs(added[i]!) * growth64(1) * magnitudeOf(this.values[value]!, i));
      }
    }
    this.#coefficients.set(value, added);
  }

  add(part: number): void {
    this.#constant += part;
    this.#size += Math.abs(part);
    this.#additions++;
  }

  lose(part: number, additions = 1): void {
    this.#loss += part;
    this.#additions += additions;
  }

  /** Replaces a value by its bounds: coefficients * center - |coefficients| radius. */
  settle(value: number): void {
    const coefficients = this.take(value)!;
    const { center, radius } = centerAndRadius(this.values[value]!);
    for (let i = 0; i < coefficients.length; i++) {
      this.add(coefficients[i]! * center[i]!);
      this.lose(Math.abs(coefficients[i]!) * radius[i]!);
    }
  }

  /** Each part was computed with a few roundings, and the sums with one for each addition; 2^-900 covers underflow of float64. */
  lowerBound(): number {
    demand(this.#coefficients.size === 0, 'a value was left over');
    const error = growth64(this.#additions + 16);
    return down(this.#constant - up((this.#loss + error * this.#size + this.#additions * 2 ** -900) * (1 + 4 * error)));
  }
}

/**
 * y = scale * (kernel * x) + shift + d: coefficients of y become coefficients of x. |d| <= deployed (|W||x| + |b|), and rounding here loses own
 * (|W||x| + |b|), so both are the transposed product with |W| times the largest |x|.
 */
function throughAffine(margin: Margin, layer: AffineLayer, outer: Float64Array): void {
  const { deployed, own, underflow, flushed } = errorOf(layer, margin.level);
  const { kernel, stride, padding, groups, scale, shift, shiftSize } = layer;
  const [height, width, channels] = layer.from;
  const [rows, columns, filters] = layer.to;
  const [kernelHeight, kernelWidth] = layer.size;
  const [channelsIn, filtersIn] = [channels / groups, filters / groups];
  const bounds = margin.values[layer.input]!;
  const widest = widestOf(bounds);

  const inner = new Float64Array(height * width * channels);
  const sizes = new Float64Array(inner.length);
  const scaled = new Float64Array(filters);
  // A coefficient of x is a sum of at most so many products, then the rounding of scale and of the products themselves.
  const places = kernelHeight * kernelWidth * filtersIn;
  const error = deployed + Math.max(own, growth64(places + layer.rounded + 8));
  for (let pixel = 0; pixel < rows * columns; pixel++) {
    const top = Math.floor(pixel / columns) * stride - padding;
    const left = (pixel % columns) * stride - padding;
    let any = 0;
    for (let filter = 0; filter < filters; filter++) {
      const coefficient = outer[pixel * filters + filter]!;
      scaled[filter] = coefficient * scale[filter]!;
      any += Math.abs(coefficient);
      margin.add(coefficient * shift[filter]!);
      margin.lose(Math.abs(coefficient) * (error * shiftSize[filter]! + underflow + flushed * layer.terms * widest));
    }
    if (any === 0) continue;
    for (let tap = 0; tap < kernelHeight * kernelWidth; tap++) {
      const y = top + Math.floor(tap / kernelWidth);
      const x = left + (tap % kernelWidth);
      if (y < 0 || y >= height || x < 0 || x >= width) continue;
      for (let channel = 0; channel < channels; channel++) {
        const first = Math.floor(channel / channelsIn) * filtersIn;
        const weights = (tap * channelsIn + (channel % channelsIn)) * filters + first;
        let total = 0;
        let size = 0;
        for (let filter = 0; filter < filtersIn; filter++) {
          const product = kernel[weights + filter]! * scaled[first + filter]!;
          total += product;
          size += Math.abs(product);
        }
        const at = (y * width + x) * channels + channel;
        inner[at]! += total;
        sizes[at]! += size;
      }
    }
  }
  for (let i = 0; i < sizes.length; i++) margin.lose(error * sizes[i]! * magnitudeOf(bounds, i) + 2 ** -900);
  margin.lose(0, places + layer.rounded);
  margin.put(layer.input, inner);
}

/** The line of CROWN: the identity where the interval has more on the positive side, 0 elsewhere. */
const lowerSlope = (l: number, u: number): number => (u > -l ? 1 : 0);

/**
 * h = max(z, 0) with z in [l, u], l < 0 < u. Below it is slope * z for every slope in [0, 1]; above it is s z + t with t >= -s l and
 * s >= u / (u - l), since then s l + t >= 0 and s u + t >= s (u - l) >= u. Both are rounded up.
 */
function throughRelu(margin: Margin, layer: ReluLayer, outer: Float64Array, slopes: Float32Array | undefined): void {
  const bounds = margin.values[layer.input]!;
  const inner = new Float64Array(outer.length);
  for (let i = 0; i < outer.length; i++) {
    const [l, u, coefficient] = [bounds.lower[i]!, bounds.upper[i]!, outer[i]!];
    if (l >= 0) inner[i] = coefficient;
    if (l >= 0 || u <= 0 || coefficient === 0) continue;
    let slope = slopes?.[i] ?? lowerSlope(l, u);
    if (coefficient < 0) {
      slope = up(u / down(u - l));
      margin.add(coefficient * up(-slope * l));
    }
    inner[i] = coefficient * slope;
    margin.lose((Math.abs(inner[i]!) * growth64(1) + 2 ** -900) * magnitudeOf(bounds, i));
  }
  margin.put(layer.input, inner);
}

/**
 * A lower bound of logit_label - logit_other.
 *
 * @param slopes null: only the last layer is gone through, and then the intervals of its input are used (interval bound propagation)
 */
export function marginBound(
  network: Network,
  values: readonly Bounds[],
  level: Level,
  label: number,
  other: number,
  slopes: Slopes | null,
): number {
  const margin = new Margin(values, level);
  const { layers } = network;
  const difference = new Float64Array(network.classes);
  difference[label] = 1;
  difference[other] = -1;
  margin.put(layers.length, difference);
  const lowest = slopes === null ? layers.length - (layers.at(-1)?.kind === 'affine' ? 1 : 0) : 0;
  for (let value = layers.length; value > lowest; value--) {
    const coefficients = margin.take(value);
    if (coefficients === undefined) continue;
    const layer = layers[value - 1]!;
    if (layer.kind === 'affine') throughAffine(margin, layer, coefficients);
    else if (layer.kind === 'relu') throughRelu(margin, layer, coefficients, slopes?.get(layer.name));
    else {
      const [a, b] = layer.inputs;
      for (let i = 0; i < sizeOf(layer.to); i++) {
        const largest = magnitudeOf(values[a]!, i) + magnitudeOf(values[b]!, i);
        margin.lose(Math.abs(coefficients[i]!) * addError(largest, level));
      }
      margin.put(a, coefficients.slice());
      margin.put(b, coefficients);
    }
  }
  const last = layers.at(-1);
  margin.settle(slopes === null ? (last?.kind === 'affine' ? last.input : layers.length) : 0);
  return margin.lowerBound();
}

/** Checks slopes against the network: each in [0, 1], one for each neuron of a ReLU that the network has. */
export function checkSlopes(network: Network, slopes: Slopes): void {
  for (const [name, values] of slopes) {
    demand(network.relus.has(name), `the evidence has slopes for "${name}", which is no ReLU of the network`);
    const layer = network.layers.find((each) => each.kind === 'relu' && each.name === name);
    demand(
      layer === undefined || values.length === sizeOf(layer.to),
      `the slopes of "${name}" have another number of neurons`,
    );
    demand(
      values.every((slope) => slope >= 0 && slope <= 1),
      `a slope of "${name}" is not in [0, 1]`,
    );
  }
}

/**
 * Lower bounds of logit_label - logit_j by going backward through the network (Zhang et al., Efficient Neural Network Robustness Certification with
 * General Activation Functions, 2018): at each step the margin is at least a constant plus a linear function of some values.
 *
 * The coefficients are the numbers that this program holds, exactly. Where computing them rounds, the difference times the largest
 * absolute value that it is multiplied by is subtracted from the constant at once, so that no error is carried along.
 */
import type { Leaf, Split } from './evidence.js';
import {
  addError,
  type Bounds,
  type BoundsByLayer,
  errorOf,
  type Level,
  magnitudeOf,
  type Tighten,
  widestOf,
} from './ibp.js';
import { type AffineLayer, type Layer, stepsOf } from './layers.js';
import { down, growth64, up } from './rounding.js';

/** Violated where coefficients times the logits is at most the bound, which is rounded up. */
export interface Inequality {
  readonly coefficients: Float64Array;
  readonly bound: number;
}

/** The margin is at least the constant plus coefficients times the outputs of layers. */
class Margin {
  readonly coefficients = new Map<Layer, Float64Array>();
  constant = 0;

  constructor(readonly values: BoundsByLayer) {}

  /** Adds coefficients; where two paths meet, the sum rounds. */
  put(layer: Layer, added: Float64Array): void {
    const before = this.coefficients.get(layer);
    const sum = before === undefined ? added : added.map((coefficient, i) => coefficient + before[i]!);
    this.coefficients.set(layer, sum);
    if (before === undefined) return;
    const bounds = this.values.get(layer)!;
    for (let i = 0; i < sum.length; i++) this.lose(Math.abs(sum[i]!) * growth64(1) * magnitudeOf(bounds, i));
  }

  /** Adds a part as it is; what it may be off by is lost elsewhere. */
  gain(part: number): void {
    this.constant = down(this.constant + part);
  }

  /** Subtracts a part that is not negative and came out of fewer than 16 roundings or underflows. */
  lose(part: number): void {
    this.constant = down(this.constant - (part * (1 + 2 ** -48) + 2 ** -900));
  }
}

/**
 * y = scale * (kernel * x) + shift + d: coefficients of y become coefficients of x. |d| <= deployed (|W||x| + |b|), and rounding here loses own
 * (|W||x| + |b|), so both are the transposed product with |W| times the largest |x|.
 */
function throughAffine(margin: Margin, layer: AffineLayer, outer: Float64Array, level: Level): void {
  const { deployed, own, underflow, flushed } = errorOf(layer, level);
  const { taps, kernel, groups, scale, shift, shiftSize } = layer;
  const [{ channels }, { channels: filters }] = [layer.from, layer.to];
  const [channelsIn, filtersIn] = [channels / groups, filters / groups];
  const [step, outStep] = [stepsOf(layer.from), stepsOf(layer.to)];
  const bounds = margin.values.get(layer.inputs[0])!;
  const widest = widestOf(bounds);
  // A coefficient of x is a sum of at most so many products, then the rounding of scale and of the products themselves.
  const error = deployed + Math.max(own, growth64(layer.places * filtersIn + layer.rounded + 8));

  const scaled = new Float64Array(layer.size);
  // Pixels with a coefficient: a neuron depends on few of them.
  const used = new Uint8Array(layer.size / filters);
  for (let i = 0; i < layer.size; i++) {
    const [pixel, filter] = [Math.floor(i / filters), i % filters];
    const coefficient = outer[pixel * outStep.pixel + filter * outStep.channel]!;
    if (coefficient === 0) continue;
    used[pixel] = 1;
    scaled[i] = coefficient * scale[filter]!;
    margin.gain(coefficient * shift[filter]!);
    margin.lose(Math.abs(coefficient) * (error * shiftSize[filter]! + underflow + flushed * layer.terms * widest));
  }
  const inner = new Float64Array(bounds.lower.length);
  const sizes = new Float64Array(inner.length);
  for (let tap = 0; tap < taps.length; tap += 3) {
    const [pixel, source, place] = [taps[tap]!, taps[tap + 1]!, taps[tap + 2]!];
    if (used[pixel] === 0) continue;
    for (let channel = 0; channel < channels; channel++) {
      const at = source * step.pixel + channel * step.channel;
      // What is always 0, such as behind a ReLU, needs no coefficient.
      if (bounds.lower[at] === 0 && bounds.upper[at] === 0) continue;
      const first = Math.floor(channel / channelsIn) * filtersIn;
      const weights = (place * channelsIn + (channel % channelsIn)) * filters + first;
      const outputs = pixel * filters + first;
      let [total, size] = [0, 0];
      for (let filter = 0; filter < filtersIn; filter++) {
        const product = kernel[weights + filter]! * scaled[outputs + filter]!;
        total += product;
        size += Math.abs(product);
      }
      inner[at]! += total;
      // More than 0, so that a product that underflows is not taken for one that does not exist.
      sizes[at]! += size + Number.MIN_VALUE;
    }
  }
  // The sizes are sums themselves and may be too small by as much as the coefficients.
  for (let i = 0; i < sizes.length; i++) {
    if (sizes[i] !== 0) margin.lose(error * (1 + error) * sizes[i]! * magnitudeOf(bounds, i));
  }
  margin.put(layer.inputs[0], inner);
}

/** The line of CROWN: the identity where the interval has more on the positive side, 0 elsewhere. */
const lowerSlope = (l: number, u: number): number => (u > -l ? 1 : 0);

/**
 * h = max(z, 0) with z in [l, u], l < 0 < u. Below it is slope * z for every slope in [0, 1]; above it is s z + t with t >= -s l and
 * s >= u / (u - l), since then s l + t >= 0 and s u + t >= s (u - l) >= u. Both are rounded up.
 */
function throughRelu(margin: Margin, relu: Layer, outer: Float64Array, slopeOf: Leaf['slopeOf']): void {
  const input = relu.inputs[0]!;
  const bounds = margin.values.get(input)!;
  const inner = outer.map((coefficient, i) => {
    const [l, u] = [bounds.lower[i]!, bounds.upper[i]!];
    if (l >= 0) return coefficient;
    if (u <= 0 || coefficient === 0) return 0;
    let slope = slopeOf(relu, i) ?? lowerSlope(l, u);
    if (coefficient < 0) {
      slope = up(u / down(u - l));
      margin.lose(-coefficient * up(-slope * l));
    }
    margin.lose(Math.abs(coefficient * slope) * growth64(1) * magnitudeOf(bounds, i));
    return coefficient * slope;
  });
  margin.put(input, inner);
}

const usual: Leaf['slopeOf'] = () => undefined;

/**
 * A lower bound of what an inequality is missed by where the splits of a leaf hold; infinite where they cannot, and else NaN where there is none.
 *
 * @param layers in order, each after its inputs, the input first and the logits last
 * @param leaf null: only the last layer is gone through, and then the intervals of its input are used (interval bound propagation)
 */
export function marginBound(
  layers: readonly Layer[],
  values: BoundsByLayer,
  level: Level,
  { coefficients, bound }: Inequality,
  leaf: Leaf | null,
): number {
  const logits = layers.at(-1)!;
  const { splits, slopeOf } = leaf ?? { splits: [], slopeOf: usual };
  const own = whereSplit(values, splits);
  if (own === undefined) return Number.POSITIVE_INFINITY;
  const end = leaf !== null ? layers[0]! : logits.kind === 'affine' ? logits.inputs[0] : logits;
  const lower = lowerBound(layers, own, level, coefficients, slopeOf, end, splits);
  const margin = down(lower - bound);
  return Number.isFinite(margin) ? margin : Number.NaN;
}

/** Bounds where splits hold; undefined where they cannot. */
function whereSplit(values: BoundsByLayer, splits: readonly Split[]): BoundsByLayer | undefined {
  const own = new Map(values);
  for (const { layer, neuron, sign } of splits) {
    const { lower, upper } = own.get(layer)!;
    const half = { lower: lower.slice(), upper: upper.slice() };
    if (sign > 0) half.lower[neuron] = Math.max(0, lower[neuron]!);
    else half.upper[neuron] = Math.min(0, upper[neuron]!);
    if (half.lower[neuron]! > half.upper[neuron]!) return undefined;
    own.set(layer, half);
  }
  return own;
}

/**
 * A lower bound of coefficients times the output of the last of some layers, gone through down to `end`, whose intervals are then used.
 *
 * What a split says of z, sign z >= 0, holds times any multiplier >= 0, so that subtracting multiplier sign z makes no bound too large (Wang et
 * al., Beta-CROWN, 2021).
 */
function lowerBound(
  layers: readonly Layer[],
  values: BoundsByLayer,
  level: Level,
  coefficients: Float64Array,
  slopeOf: Leaf['slopeOf'],
  end: Layer,
  splits: readonly Split[] = [],
): number {
  const margin = new Margin(values);
  margin.put(layers.at(-1)!, coefficients);
  for (const { layer, neuron, sign, multiplier } of splits) {
    const subtracted = new Float64Array(layer.size);
    subtracted[neuron] = -sign * multiplier;
    margin.put(layer, subtracted);
  }
  for (const layer of layers.toReversed()) {
    const outer = margin.coefficients.get(layer);
    if (outer === undefined) continue;
    if (layer === end || layer.kind === 'input') settle(margin, values.get(layer)!, outer);
    else if (layer.kind === 'affine') throughAffine(margin, layer, outer, level);
    else if (layer.kind === 'relu') throughRelu(margin, layer, outer, slopeOf);
    else {
      const [a, b] = layer.inputs.map((input) => values.get(input)!) as [Bounds, Bounds];
      for (let i = 0; i < layer.size; i++)
        margin.lose(Math.abs(outer[i]!) * addError(magnitudeOf(a, i) + magnitudeOf(b, i), level));
      for (const input of layer.inputs) margin.put(input, outer);
    }
  }
  return margin.constant;
}

/** Tighter bounds of what a ReLU reads: for each neuron whose sign is open, by going backward from it. */
export const tightenBackward =
  (layers: readonly Layer[], level: Level): Tighten =>
  (layer, bounds, values) => {
    const before = layers.slice(0, layers.indexOf(layer) + 1);
    // Behind affine layers alone intervals are exact up to rounding.
    if (!before.some(({ kind }) => kind === 'relu')) return bounds;
    if (!layers.some(({ kind, inputs }) => kind === 'relu' && inputs[0] === layer)) return bounds;
    const least = (i: number, sign: number): number => {
      const unit = new Float64Array(layer.size);
      unit[i] = sign;
      return lowerBound(before, values, level, unit, usual, layers[0]!);
    };
    const open = (i: number) => bounds.lower[i]! < 0 && bounds.upper[i]! > 0;
    return {
      lower: bounds.lower.map((l, i) => (open(i) ? Math.max(l, least(i, 1)) : l)),
      upper: bounds.upper.map((u, i) => (open(i) ? Math.min(u, -least(i, -1)) : u)),
    };
  };

/** Replaces values by their bounds. */
function settle(margin: Margin, { lower, upper }: Bounds, coefficients: Float64Array): void {
  for (const [i, coefficient] of coefficients.entries()) {
    margin.gain(down(coefficient * (coefficient > 0 ? lower : upper)[i]!));
  }
}

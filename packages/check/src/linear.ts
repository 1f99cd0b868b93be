/**
 * Lower bounds of logit_label - logit_j by going backward through the network (Zhang et al., Efficient Neural Network Robustness Certification with
 * General Activation Functions, 2018): at each step the margin is at least a constant plus a linear function of some values.
 *
 * The coefficients are the numbers that this program holds, exactly. Where computing them rounds, the difference times the largest
 * absolute value that it is multiplied by is subtracted from the constant at once, so that no error is carried along.
 */
import {
  type Ball,
  type BoundsByLayer,
  boundsBefore,
  errorOf,
  type Level,
  magnitudesOf,
  type Tighten,
} from './bounds.js';
import { type Leaf, USUAL } from './evidence.js';
import type { AffineLayer, Layer } from './layers.js';
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

  constructor(
    readonly values: BoundsByLayer,
    readonly level: Level,
  ) {}

  /** Adds coefficients; where two paths meet, the sum rounds. */
  put(layer: Layer, added: Float64Array): void {
    const before = this.coefficients.get(layer);
    const sum = before === undefined ? added : added.map((coefficient, i) => coefficient + before[i]!);
    this.coefficients.set(layer, sum);
    if (before === undefined) return;
    const magnitudes = magnitudesOf(this.values.get(layer)!);
    for (const [i, coefficient] of sum.entries()) this.lose(Math.abs(coefficient) * growth64(1) * magnitudes[i]!);
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
 * y = W x + b + d, where W is the scaled kernel: coefficients of y become coefficients of x. |d| <= e (|W||x| + |b|) by the execution, and rounding here loses as much
 * with its own e, so both are the transposed product with |W| times the largest |x|. (A product that underflows is off by less than the 2^-900 that is
 * lost with it.)
 */
function throughAffine(margin: Margin, layer: AffineLayer, outer: Float64Array): void {
  const { terms, kernel, scale, shift, shiftSize } = layer;
  const magnitudes = magnitudesOf(boundsBefore(layer, margin.values));
  const { error, underflow } = errorOf(layer, magnitudes, margin.level);
  const [inner, sizes] = [new Float64Array(magnitudes.length), new Float64Array(magnitudes.length)];
  for (let output = 0; output < layer.size; output++) {
    const coefficient = outer[output]!;
    if (coefficient === 0) continue;
    margin.gain(coefficient * shift[output]!);
    margin.lose(Math.abs(coefficient) * (error * shiftSize[output]! + underflow));
    const scaled = coefficient * scale[output]!;
    const { first, sources } = layer.rowOf(output);
    for (let term = 0; term < terms; term++) {
      const source = sources[term]!;
      // What is always 0, such as behind a ReLU, needs no coefficient.
      if (source < 0 || magnitudes[source] === 0) continue;
      const product = kernel[first + term]! * scaled;
      inner[source]! += product;
      sizes[source]! += Math.abs(product);
    }
  }
  // The sizes are sums themselves and may be too small by as much as the coefficients, and so is the sum of them.
  const total = sizes.reduce((sum, size, i) => sum + size * magnitudes[i]!, 0);
  margin.lose(error * (1 + error + growth64(sizes.length)) * total);
  let start = 0;
  for (const input of layer.inputs) {
    margin.put(input, inner.subarray(start, start + input.size));
    start += input.size;
  }
}

/**
 * h = max(z, 0) with z in [l, u], l < 0 < u. Below it is slope * z for every slope in [0, 1], by default the one of CROWN: 1 where the interval has
 * more on the positive side, else 0. Above it is s z + t with t >= -s l and s >= u / (u - l), since then s l + t >= 0 and s u + t >= s (u - l) >= u.
 * Both are rounded up.
 */
function throughRelu(margin: Margin, relu: Layer, outer: Float64Array, slopeOf: Leaf['slopeOf']): void {
  const bounds = margin.values.get(relu.inputs[0]!)!;
  const inner = outer.map((coefficient, i) => {
    const [l, u] = [bounds.lower[i]!, bounds.upper[i]!];
    if (l >= 0) return coefficient;
    if (u <= 0 || coefficient === 0) return 0;
    let slope = slopeOf(relu, i) ?? (u > -l ? 1 : 0);
    if (coefficient < 0) {
      slope = up(u / down(u - l));
      margin.lose(-coefficient * up(-slope * l));
    }
    margin.lose(Math.abs(coefficient * slope) * growth64(1) * Math.max(-l, u));
    return coefficient * slope;
  });
  margin.put(relu.inputs[0]!, inner);
}

/** Goes through some layers from the last to the first, and uses the intervals of all that they are computed from; returns the lower bound. */
function goBack(margin: Margin, layers: readonly Layer[], slopeOf: Leaf['slopeOf']): number {
  for (const layer of layers.toReversed()) {
    const outer = margin.coefficients.get(layer);
    if (outer === undefined || layer.kind === 'input') continue;
    margin.coefficients.delete(layer);
    if (layer.kind === 'affine') throughAffine(margin, layer, outer);
    else throughRelu(margin, layer, outer, slopeOf);
  }
  for (const [layer, coefficients] of margin.coefficients) {
    const { lower, upper, ball } = margin.values.get(layer)!;
    const inBox = coefficients.reduce((sum, c, i) => down(sum + down(c * (c > 0 ? lower : upper)[i]!)), 0);
    margin.gain(ball === undefined ? inBox : Math.max(inBox, leastInBall(coefficients, ball)));
  }
  return margin.constant;
}

/**
 * A lower bound of coefficients times all x in a ball: |c (x - center)| <= |c| radius (Cauchy and Schwarz). An execution may read an x below 2^-126
 * as 0. A square that underflows changes |c| by less than 2^-500.
 */
function leastInBall(coefficients: Float64Array, { center, radius }: Ball): number {
  let [sum, size, total, squares] = [0, 0, 0, 0];
  for (const [i, coefficient] of coefficients.entries()) {
    const product = coefficient * center[i]!;
    sum += product;
    size += Math.abs(product);
    total += Math.abs(coefficient);
    squares += coefficient * coefficient;
  }
  const error = growth64(coefficients.length + 16);
  const reach = (Math.sqrt(squares) + 2 ** -500) * radius;
  return down(sum - (reach + error * size + 2 ** -126 * total + 2 ** -900) * (1 + error));
}

/**
 * A lower bound of what an inequality is missed by where the splits of a leaf hold; infinite where they cannot, and else NaN where there is none.
 *
 * What a split says of z, sign z >= 0, holds times any multiplier >= 0, so that subtracting multiplier sign z makes no bound too large (Wang et
 * al., Beta-CROWN, 2021).
 *
 * @param layers in order, each after its inputs, the input first and the logits last
 * @param leaf null: of all layers only an affine one at the end is gone through (interval bound propagation)
 */
export function marginBound(
  layers: readonly Layer[],
  values: BoundsByLayer,
  level: Level,
  { coefficients, bound }: Inequality,
  leaf: Leaf | null,
): number {
  const own = new Map(values);
  const margin = new Margin(own, level);
  margin.put(layers.at(-1)!, coefficients);
  for (const { layer, neuron, sign, multiplier } of leaf?.splits ?? []) {
    const { lower, upper } = own.get(layer)!;
    const half =
      sign > 0
        ? { lower: lower.with(neuron, Math.max(0, lower[neuron]!)), upper }
        : { lower, upper: upper.with(neuron, Math.min(0, upper[neuron]!)) };
    if (half.lower[neuron]! > half.upper[neuron]!) return Number.POSITIVE_INFINITY;
    own.set(layer, half);
    margin.put(layer, new Float64Array(layer.size).with(neuron, -sign * multiplier));
  }
  const through = leaf === null ? layers.slice(-1).filter(({ kind }) => kind === 'affine') : layers;
  const lower = down(goBack(margin, through, (leaf ?? USUAL).slopeOf) - bound);
  return Number.isFinite(lower) ? lower : Number.NaN;
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
      const margin = new Margin(values, level);
      margin.put(layer, new Float64Array(layer.size).with(i, sign));
      return goBack(margin, before, USUAL.slopeOf);
    };
    const open = (i: number) => bounds.lower[i]! < 0 && bounds.upper[i]! > 0;
    return {
      lower: bounds.lower.map((l, i) => (open(i) ? Math.max(l, least(i, 1)) : l)),
      upper: bounds.upper.map((u, i) => (open(i) ? Math.min(u, -least(i, -1)) : u)),
    };
  };

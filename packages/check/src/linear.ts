/**
 * Lower bounds of logit_label - logit_j by going backward through the network (Zhang et al., Efficient Neural Network Robustness Certification with
 * General Activation Functions, 2018): at each step the margin is at least a constant plus a linear function of some values.
 *
 * The coefficients are the numbers that this program holds, exactly. Where computing them rounds, the difference times the largest
 * absolute value that it is multiplied by is subtracted from the constant at once, so that no error is carried along.
 */
import type { Bounds, Level, Values } from './bounds.js';
import { boundsBefore, errorOf, forward, magnitudesOf } from './bounds.js';
import type { Leaf, SlopeOf } from './evidence.js';
import type { AffineLayer, Layer } from './layers.js';
import { demand } from './refused.js';
import { down, growth64, up } from './rounding.js';

/** Violated where coefficients times the logits is at most the bound, which is rounded up. */
export interface Inequality {
  readonly coefficients: Float64Array;
  readonly bound: number;
}

/** What a step backward adds to the constant, at least, and the coefficients of what the layer reads. */
type Step = readonly [part: number, inner: Float64Array];

/** A constant without a loss that is not negative and came out of fewer than 16 roundings or underflows. */
const less = (constant: number, loss: number): number => down(constant - (loss * (1 + 2 ** -48) + 2 ** -900));

/**
 * y = W x + b + d, where W is the scaled kernel: coefficients of y become coefficients of x. |d| <= e (|W||x| + |b|) by the execution, and rounding here loses as much
 * with its own e, so both are the transposed product with |W| times the largest |x|. (A product that underflows is off by less than the 2^-900 that is
 * lost with it.)
 */
function throughAffine(layer: AffineLayer, outer: Float64Array, before: Bounds, level: Level): Step {
  const { terms, kernel, scale, shift, shiftSize } = layer;
  const magnitudes = magnitudesOf(before);
  const { error, underflow } = errorOf(layer, magnitudes, level);
  const [inner, sizes] = [new Float64Array(magnitudes.length), new Float64Array(magnitudes.length)];
  let part = 0;
  for (let output = 0; output < layer.size; output++) {
    const coefficient = outer[output]!;
    if (coefficient === 0) continue;
    part = down(part + coefficient * shift[output]!);
    part = less(part, Math.abs(coefficient) * (error * shiftSize[output]! + underflow));
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
  return [less(part, error * (1 + error + growth64(sizes.length)) * total), inner];
}

/**
 * h = max(z, 0) with z in [l, u], l < 0 < u. Below it is slope * z for every slope in [0, 1], by default the one of CROWN: 1 where the interval has
 * more on the positive side, else 0. Above it is s z + t with t >= -s l and s >= u / (u - l), since then s l + t >= 0 and s u + t >= s (u - l) >= u.
 * Both are rounded up.
 */
function throughRelu(relu: Layer, outer: Float64Array, { lower, upper }: Bounds, slopeOf: SlopeOf): Step {
  let part = 0;
  const inner = outer.map((coefficient, i) => {
    const [l, u] = [lower[i]!, upper[i]!];
    if (l >= 0) return coefficient;
    if (u <= 0 || coefficient === 0) return 0;
    let slope = slopeOf(relu, i) ?? (u > -l ? 1 : 0);
    if (coefficient < 0) {
      slope = up(u / down(u - l));
      part = less(part, -coefficient * up(-slope * l));
    }
    part = less(part, Math.abs(coefficient * slope) * growth64(1) * Math.max(-l, u));
    return coefficient * slope;
  });
  return [part, inner];
}

/** Coefficients of the outputs of layers. */
type Coefficients = Map<Layer, Float64Array>;

/** A lower bound of a linear function of outputs of layers: goes through layers from the last to the first, and takes the least of what is left. */
function goBack(own: Coefficients, layers: readonly Layer[], values: Values, level: Level, slopeOf: SlopeOf) {
  let constant = 0;
  for (const layer of layers.toReversed()) {
    const outer = own.get(layer);
    if (outer === undefined || layer.kind === 'input') continue;
    own.delete(layer);
    const before = boundsBefore(layer, values);
    const [part, inner] =
      layer.kind === 'affine' ? throughAffine(layer, outer, before, level) : throughRelu(layer, outer, before, slopeOf);
    constant = down(constant + part);
    let start = 0;
    for (const input of layer.inputs) {
      const [there, magnitudes] = [own.get(input), magnitudesOf(values.get(input)!)];
      const sum = inner.slice(start, start + input.size).map((c, i) => c + (there?.[i] ?? 0));
      own.set(input, sum);
      // Where two paths meet, the sum rounds; the factor 2 is for the sum of all that is lost.
      constant = less(constant, growth64(2) * sum.reduce((total, c, i) => total + Math.abs(c) * magnitudes[i]!, 0));
      start += input.size;
    }
  }
  for (const [layer, coefficients] of own) {
    const { lower, upper, ball } = values.get(layer)!;
    const inBox = coefficients.reduce((sum, c, i) => down(sum + down(c * (c > 0 ? lower : upper)[i]!)), 0);
    constant = down(constant + (ball === undefined ? inBox : Math.max(inBox, leastInBall(coefficients, ball))));
  }
  return constant;
}

/**
 * A lower bound of coefficients times all x in a ball: |c (x - center)| <= |c| radius (Cauchy and Schwarz). An execution may read an x below 2^-126
 * as 0. A square that underflows changes |c| by less than 2^-500.
 */
function leastInBall(coefficients: Float64Array, { center, radius }: NonNullable<Bounds['ball']>): number {
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
 * al., Beta-CROWN, 2021). Multipliers of one z may be added with any rounding: they stay multipliers, or z is 0.
 *
 * @param layers in order, each after its inputs, the input first and the logits last
 */
export function marginBound(layers: readonly Layer[], values: Values, level: Level, row: Inequality, leaf: Leaf) {
  const own = new Map(values);
  const start = new Map([[layers.at(-1)!, row.coefficients]]);
  for (const [i, { layer, neuron, sign }] of leaf.splits.entries()) {
    const { lower, upper } = own.get(layer)!;
    const [l, u] = [lower[neuron]!, upper[neuron]!];
    if (sign > 0 ? u < 0 : l > 0) return Number.POSITIVE_INFINITY;
    own.set(layer, {
      lower: lower.with(neuron, sign > 0 ? Math.max(l, 0) : l),
      upper: upper.with(neuron, sign > 0 ? u : Math.min(u, 0)),
    });
    const before = start.get(layer) ?? new Float64Array(layer.size);
    start.set(layer, before.with(neuron, before[neuron]! - sign * leaf.multipliers[i]!));
  }
  const through = leaf.ibp ? layers.slice(-1).filter(({ kind }) => kind === 'affine') : layers;
  const lower = down(goBack(start, through, own, level, leaf.slopeOf) - row.bound);
  return Number.isFinite(lower) ? lower : Number.NaN;
}

/** Tighter bounds of what a ReLU reads: for each neuron whose sign is open, by going backward from it. */
function tightened(layer: Layer, layers: readonly Layer[], values: Values, level: Level): Bounds {
  const { lower, upper } = values.get(layer)!;
  const least = (i: number, sign: number): number => {
    const start = new Map([[layer, new Float64Array(layer.size).with(i, sign)]]);
    return goBack(start, layers, values, level, () => undefined);
  };
  const open = (i: number) => lower[i]! < 0 && upper[i]! > 0;
  return {
    lower: lower.map((l, i) => (open(i) ? Math.max(l, least(i, 1)) : l)),
    upper: upper.map((u, i) => (open(i) ? Math.min(u, -least(i, -1)) : u)),
  };
}

/**
 * Bounds of the output of every layer, from the box of the first one, the input.
 *
 * @param crown also goes backward from what a ReLU reads, if it is behind another: behind affine layers alone intervals are exact up to rounding
 */
export function propagate(layers: readonly Layer[], box: Bounds, level: Level, crown = false): Values {
  const values = new Map<Layer, Bounds>();
  const before = new Set(layers.flatMap(({ kind, inputs }) => (kind === 'relu' ? inputs : [])));
  for (const layer of layers) {
    values.set(layer, forward(layer, values, box, level));
    const isBehind = [...values.keys()].some(({ kind }) => kind === 'relu');
    if (crown && isBehind && before.has(layer)) values.set(layer, tightened(layer, layers, values, level));
    const { lower, upper } = values.get(layer)!;
    // NaN and infinity do not pass either.
    const useless = lower.findIndex((l, i) => !(l <= upper[i]! && l > -(2 ** 126) && upper[i]! < 2 ** 126));
    const found = `the bounds [${lower[useless]}, ${upper[useless]}] are of no use`;
    demand(useless < 0, `layer ${values.size - 1} (${layer.kind}): ${found}`);
  }
  return values;
}

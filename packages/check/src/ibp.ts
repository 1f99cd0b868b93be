/**
 * Interval bound propagation with every rounding paid for: those of the execution that the certificate speaks of, and those of this
 * program.
 *
 * Level `real`: bounds of the values over the real numbers. Level `deployed`: bounds of the values as any float32 execution computes
 * them, whatever the order and grouping of its sums, with or without fused multiply-add, with gradual or flushed underflow.
 */
import { type AffineLayer, type Layer, placeIn } from './layers.js';
import { demand, Refused } from './refused.js';
import { down, growth32, growth64, UNIT_32, up } from './rounding.js';

/** What a certificate speaks of: the network over the real numbers, or every float32 execution of it. */
export type Level = 'real' | 'deployed';

export interface Bounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** Bounds of the output of each layer. */
export type BoundsByLayer = ReadonlyMap<Layer, Bounds>;

/**
 * What an affine layer may be off by: relative to the sum of |w||x| and of |bias|, and in absolute numbers.
 *
 * In float64 n products, their sum, the scale and the shift are n + 3 roundings, and `rounded` are in the numbers themselves. Below 2^-1022 a
 * float64 result is off by 2^-1075, which 2^-900 covers.
 *
 * In float32 an operand or result below 2^-126 may be flushed to 0, and is then off by at most 2^-126, which matters by at most `amplitude`
 * times that. An affine layer has at most 3 n + 64 of these (inputs, products, sums) and for each product at most four that count
 * relative to |x| (the weight, the scale, their product); what scales or shifts it afterwards doubles the amplitude.
 */
export function errorOf({ terms, rounded, roundings, amplitude }: AffineLayer, level: Level) {
  return {
    /** By the roundings of the execution. */
    deployed: level === 'real' ? 0 : growth32(roundings),
    /** By the roundings of this program. */
    own: growth64(terms + rounded + 8),
    /** By underflow, for each output. */
    underflow: (terms + 64) * (level === 'real' ? 2 ** -900 : amplitude * 2 ** -122),
    /** By underflow, for each product and relative to its |x|: an operand that is flushed to 0 takes the whole product with it. */
    flushed: level === 'real' ? 0 : amplitude * 2 ** -123,
  };
}

/** What the sum of two values may be off by: one rounding, and underflow of an operand or of the result. */
export const addError = (largest: number, level: Level): number =>
  level === 'real' ? 0 : largest * UNIT_32 * (1 + 2 ** -20) + 2 ** -120;

/** The largest absolute value between two bounds. */
export const magnitudeOf = ({ lower, upper }: Bounds, i: number): number => Math.max(-lower[i]!, upper[i]!);

/** The largest absolute value within bounds. */
export const widestOf = (bounds: Bounds): number =>
  bounds.lower.reduce((widest, _, i) => Math.max(widest, magnitudeOf(bounds, i)), 0);

/**
 * With x in [c - r, c + r], |W x + b + d - (W c + b)| <= |W| r + e (|W| (|c| + r) + |b|), where d is what the execution errs and e its relative
 * bound. With what this program errs in W c + b, all of it is one more product with |W|:
 * |W| (r (1 + deployed) + (deployed + own) |c|) + (deployed + own) |b| + underflow.
 */
function affine(layer: AffineLayer, input: Bounds, level: Level): Bounds {
  const { deployed, own, underflow, flushed } = errorOf(layer, level);
  const error = deployed + own;
  // Then every intermediate value of an execution is below 2^126 as well.
  const reached = (layer.terms + 4) * layer.amplitude * (1 + widestOf(input)) * 2;
  demand(reached < 2 ** 126, 'a sum in the network may overflow float32');
  const center = input.lower.map((l, i) => (l + input.upper[i]!) * 0.5);
  const radius = center.map((c, i) => Math.max(0, up(input.upper[i]! - c), up(c - input.lower[i]!)));
  // The sum of nonnegative numbers is computed with as many roundings again; this factor covers them and itself.
  const slack = 1 + 2 * growth64(layer.terms + layer.rounded + 16);

  const { to, groups, terms, kernel, scale, shift, shiftSize } = layer;
  const filters = to.channels / groups;
  const [lower, upper] = [new Float64Array(layer.size), new Float64Array(layer.size)];
  const [centers, spreads] = [new Float64Array(terms), new Float64Array(terms)];
  for (let patch = 0; patch * filters < layer.size; patch++) {
    const sources = layer.sourcesOf(patch);
    let magnitude = 0;
    for (let term = 0; term < terms; term++) {
      const source = sources[term]!;
      const c = source < 0 ? 0 : center[source]!;
      const r = source < 0 ? 0 : radius[source]!;
      centers[term] = c;
      spreads[term] = r * (1 + deployed) + error * Math.abs(c);
      magnitude += Math.abs(c) + r;
    }
    const first = (patch % groups) * filters;
    for (let filter = first; filter < first + filters; filter++) {
      let [middle, reach] = [0, 0];
      for (let term = 0; term < terms; term++) {
        const weight = kernel[filter * terms + term]!;
        middle += weight * centers[term]!;
        reach += Math.abs(weight) * spreads[term]!;
      }
      middle = scale[filter]! * middle + shift[filter]!;
      const constant = error * shiftSize[filter]! + flushed * magnitude + underflow;
      reach = (Math.abs(scale[filter]!) * reach + constant) * slack;
      const at = placeIn(to, Math.floor(patch / groups), filter);
      lower[at] = down(middle - reach);
      upper[at] = up(middle + reach);
    }
  }
  return { lower, upper };
}

/** Bounds of the output of a layer from those of its inputs; max(x, 0) is exact. */
function boundsAfter(layer: Layer, [a, b]: readonly Bounds[], level: Level): Bounds {
  if (layer.kind === 'affine') return affine(layer, a!, level);
  if (layer.kind === 'relu')
    return { lower: a!.lower.map((x) => Math.max(x, 0)), upper: a!.upper.map((x) => Math.max(x, 0)) };
  const errors = a!.lower.map((_, i) => addError(magnitudeOf(a!, i) + magnitudeOf(b!, i), level));
  return {
    lower: errors.map((error, i) => down(down(a!.lower[i]! + b!.lower[i]!) - error)),
    upper: errors.map((error, i) => up(up(a!.upper[i]! + b!.upper[i]!) + error)),
  };
}

/** What an execution reads: it may take inputs below 2^-126 as 0, and where no sum follows, no error of a sum covers that. */
const asRead = ({ lower, upper }: Bounds, level: Level): Bounds =>
  level === 'real'
    ? { lower, upper }
    : { lower: lower.map((l) => down(l - 2 ** -126)), upper: upper.map((u) => up(u + 2 ** -126)) };

/** Replaces the bounds of a layer by tighter ones; `values` holds the layer's own and those in front of it. */
export type Tighten = (layer: Layer, bounds: Bounds, values: BoundsByLayer) => Bounds;

/** Bounds of the output of every layer, from the box of the first one, the input. */
export function propagate(layers: readonly Layer[], box: Bounds, level: Level, tighten?: Tighten): BoundsByLayer {
  const values = new Map<Layer, Bounds>();
  for (const layer of layers) {
    const inputs = layer.inputs.map((input) => values.get(input)!);
    const loose = layer.kind === 'input' ? asRead(box, level) : boundsAfter(layer, inputs, level);
    const bounds = tighten?.(layer, loose, new Map(values).set(layer, loose)) ?? loose;
    for (let i = 0; i < layer.size; i++) {
      // NaN and infinity, and a box of another size, do not pass either.
      const [l, u] = [bounds.lower[i]!, bounds.upper[i]!];
      if (l <= u && l > -(2 ** 126) && u < 2 ** 126) continue;
      throw new Refused(`layer ${values.size} (${layer.kind}): the bounds [${l}, ${u}] are of no use`);
    }
    values.set(layer, bounds);
  }
  return values;
}

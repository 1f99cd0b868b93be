/**
 * Interval bound propagation with every rounding paid for: those of the execution that the certificate speaks of, and those of this
 * program.
 *
 * Level `real`: bounds of the values over the real numbers. Level `deployed`: bounds of the values as any float32 execution computes
 * them, whatever the order and grouping of its sums, with or without fused multiply-add, with gradual or flushed underflow.
 */
import type { AffineLayer, Layer } from './layers.js';
import { demand } from './refused.js';
import { down, growth32, growth64, up } from './rounding.js';

/** What a certificate speaks of: the network over the real numbers, or every float32 execution of it. */
export type Level = 'real' | 'deployed';

export interface Bounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  /** Of inputs: they also lie within the Euclidean distance `radius` of the center. */
  readonly ball?: { readonly center: ArrayLike<number>; readonly radius: number } | undefined;
}

/** Bounds of the output of each layer. */
export type Values = ReadonlyMap<Layer, Bounds>;

/** The largest absolute values between two bounds. */
export const magnitudesOf = ({ lower, upper }: Bounds): Float64Array => lower.map((l, i) => Math.max(-l, upper[i]!));

/**
 * What an affine layer may be off by: relative to the sum of |w||x| and of |bias|, and in absolute numbers for each output.
 *
 * In float64 there are one rounding for each product and each addition, at most `size` additions where coefficients of outputs go back to an input,
 * and fewer than 2 `roundings` in the weights themselves. Below 2^-1022 a float64 result is off by 2^-1075, which 2^-900 covers.
 *
 * In float32 an operand or result below 2^-126 may be flushed to 0, and is then off by at most 2^-126, which matters by at most `amplitude`
 * times that. An affine layer has at most 3 n + 64 of these (inputs, products, sums) and for each product at most four that count
 * relative to |x| (the weight, the scale, their product); what scales or shifts it afterwards doubles the amplitude.
 *
 * @param magnitudes the largest absolute values that it reads
 * @throws Refused where an intermediate value of an execution might reach 2^126
 */
export function errorOf({ terms, size, roundings, amplitude }: AffineLayer, magnitudes: Float64Array, level: Level) {
  const widest = magnitudes.reduce((most, magnitude) => Math.max(most, magnitude), 0);
  const reached = (terms + 64) * amplitude * (1 + widest);
  demand(reached < 2 ** 125, 'a sum in the network may overflow float32');
  const own = growth64(terms + size + 2 * roundings + 16);
  return {
    /** By the roundings of this program. */
    own,
    /** By these and the roundings of the execution. */
    error: level === 'real' ? own : own + growth32(roundings),
    underflow: reached * (level === 'real' ? 2 ** -900 : 2 ** -122),
  };
}

/**
 * With x in [c - r, c + r], |W x + b + d - (W c + b)| <= |W| r + e (|W| (|c| + r) + |b|), where d is what the execution errs and e its relative
 * bound. With what this program errs in W c + b, all of it is one more product with |W|: |W| (r (1 + e) + e |c|) + e |b| + underflow, where e is now
 * the error of both.
 */
function affine(layer: AffineLayer, input: Bounds, level: Level): Bounds {
  const { terms, kernel, scale, shift, shiftSize } = layer;
  const { own, error, underflow } = errorOf(layer, magnitudesOf(input), level);
  const center = input.lower.map((l, i) => (l + input.upper[i]!) * 0.5);
  const spread = center.map((c, i) => {
    const radius = Math.max(0, up(input.upper[i]! - c), up(c - input.lower[i]!));
    return radius * (1 + error) + error * Math.abs(c);
  });
  const [lower, upper] = [new Float64Array(layer.size), new Float64Array(layer.size)];
  for (let output = 0; output < layer.size; output++) {
    const { first, sources } = layer.rowOf(output);
    let [middle, reach] = [0, 0];
    for (let term = 0; term < terms; term++) {
      const source = sources[term]!;
      if (source < 0) continue;
      const weight = kernel[first + term]!;
      middle += weight * center[source]!;
      reach += Math.abs(weight) * spread[source]!;
    }
    middle = scale[output]! * middle + shift[output]!;
    reach = Math.abs(scale[output]!) * reach + error * shiftSize[output]! + underflow;
    // The sum of nonnegative numbers is computed with as many roundings again; this factor covers them and itself.
    reach *= 1 + 2 * own;
    lower[output] = down(middle - reach);
    upper[output] = up(middle + reach);
  }
  return { lower, upper };
}

/** max(x, 0) is exact. */
const relu = ({ lower, upper }: Bounds): Bounds => ({
  lower: lower.map((l) => Math.max(l, 0)),
  upper: upper.map((u) => Math.max(u, 0)),
});

/** What an execution reads: it may take inputs below 2^-126 as 0, and where no sum follows, no error of a sum covers that. */
const asRead = (box: Bounds, level: Level): Bounds =>
  level === 'real'
    ? box
    : { ...box, lower: box.lower.map((l) => down(l - 2 ** -126)), upper: box.upper.map((u) => up(u + 2 ** -126)) };

/** Bounds of what a layer reads, one layer after the other. */
export function boundsBefore({ inputs }: Layer, values: Values): Bounds {
  const all = inputs.map((input) => values.get(input)!);
  const join = (end: 'lower' | 'upper') => Float64Array.from(all.flatMap((bounds) => Array.from(bounds[end])));
  return all.length === 1 ? all[0]! : { lower: join('lower'), upper: join('upper') };
}

/** Bounds of the output of a layer, from those of the layers that it reads; of the input, from its box. */
export function forward(layer: Layer, values: Values, box: Bounds, level: Level): Bounds {
  if (layer.kind === 'input') return asRead(box, level);
  const before = boundsBefore(layer, values);
  return layer.kind === 'affine' ? affine(layer, before, level) : relu(before);
}

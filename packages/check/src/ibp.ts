/**
 * Interval bound propagation with every rounding paid for: those of the execution that the certificate speaks of, and those of this
 * program.
 *
 * Level `real`: bounds of the values over the real numbers. Level `deployed`: bounds of the values as any float32 execution computes
 * them, whatever the order and grouping of its sums, with or without fused multiply-add, with gradual or flushed underflow.
 */
import { type AddLayer, type AffineLayer, type Layer, sizeOf } from './layers.js';
import type { Network } from './network.js';
import { demand, Refused } from './refused.js';
import { down, growth32, growth64, UNIT_32, up } from './rounding.js';

/** What a certificate speaks of: the network over the real numbers, or every float32 execution of it. */
export type Level = 'real' | 'deployed';

export interface Bounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** What an affine layer may be off by: relative to the sum of |w||x| and of |bias|, and in absolute numbers. */
export interface LayerError {
  /** By the roundings of the execution. */
  readonly deployed: number;
  /** By the roundings of this program. */
  readonly own: number;
  /** By underflow, for each output. */
  readonly underflow: number;
  /** By underflow, for each product and relative to its |x|: an operand that is flushed to 0 takes the whole product with it. */
  readonly flushed: number;
}

/**
 * In float64 n products, their sum, the scale and the shift are n + 3 roundings, and `rounded` are in the numbers themselves. Below 2^-1022 a
 * float64 result is off by 2^-1075, which 2^-900 covers.
 *
 * In float32 an operand or result below 2^-126 may be flushed to 0, and is then off by at most 2^-126, which matters by at most `amplitude`
 * times that. An affine layer with its batch normalization has at most 3 n + 64 of these (inputs, products, sums) and for each
 * product at most four that count relative to |x| (the weight, the scale, gamma, their products).
 */
export function errorOf(layer: AffineLayer, level: Level): LayerError {
  const own = growth64(layer.terms + layer.rounded + 8);
  return level === 'real'
    ? { deployed: 0, own, underflow: (layer.terms + 64) * 2 ** -900, flushed: 0 }
    : {
        deployed: growth32(layer.roundings),
        own,
        underflow: (layer.terms + 64) * layer.amplitude * 2 ** -122,
        flushed: layer.amplitude * 2 ** -123,
      };
}

/** NaN and infinity do not pass either. */
function checked(bounds: Bounds, where: string): Bounds {
  const { lower, upper } = bounds;
  for (let i = 0; i < lower.length; i++) {
    const [l, u] = [lower[i]!, upper[i]!];
    if (!(l <= u && l > -(2 ** 126) && u < 2 ** 126))
      throw new Refused(`${where}: the bounds [${l}, ${u}] are of no use`);
  }
  return bounds;
}

/** Centers, and radii so large that [center - radius, center + radius] holds the bounds. */
export function centerAndRadius({ lower, upper }: Bounds): { center: Float64Array; radius: Float64Array } {
  const center = new Float64Array(lower.length);
  const radius = new Float64Array(lower.length);
  for (let i = 0; i < lower.length; i++) {
    const [l, u] = [lower[i]!, upper[i]!];
    const c = (l + u) * 0.5;
    center[i] = c;
    radius[i] = Math.max(0, up(u - c), up(c - l));
  }
  return { center, radius };
}

/**
 * With x in [c - r, c + r], |W x + b + d - (W c + b)| <= |W| r + e (|W| (|c| + r) + |b|), where d is what the execution errs and e its relative
 * bound. With what this program errs in W c + b, all of it is one more product with |W|:
 * |W| (r (1 + deployed) + (deployed + own) |c|) + (deployed + own) |b| + underflow.
 */
function affine(layer: AffineLayer, input: Bounds, level: Level): Bounds {
  const { deployed, own, underflow, flushed } = errorOf(layer, level);
  const error = deployed + own;
  const { center, radius } = centerAndRadius(input);
  // Then every intermediate value of an execution is below 2^126 as well.
  const reached = (layer.terms + 4) * layer.amplitude * (1 + widestOf(input)) * 2;
  if (!(reached < 2 ** 126)) throw new Refused('a sum in the network may overflow float32');
  const spread = new Float64Array(center.length);
  for (let i = 0; i < spread.length; i++) spread[i] = radius[i]! * (1 + deployed) + error * Math.abs(center[i]!);

  const { kernel, stride, padding, groups, scale, shift, shiftSize } = layer;
  const [height, width, channels] = layer.from;
  const [rows, columns, filters] = layer.to;
  const [kernelHeight, kernelWidth] = layer.size;
  const [channelsIn, filtersIn] = [channels / groups, filters / groups];
  const lower = new Float64Array(rows * columns * filters);
  const upper = new Float64Array(lower.length);
  const sums = new Float64Array(filters);
  const spreads = new Float64Array(filters);
  // The sum of nonnegative numbers is computed with as many roundings again; this factor covers them and itself.
  const slack = 1 + 2 * growth64(layer.terms + layer.rounded + 16);
  for (let pixel = 0; pixel < rows * columns; pixel++) {
    const top = Math.floor(pixel / columns) * stride - padding;
    const left = (pixel % columns) * stride - padding;
    sums.fill(0);
    spreads.fill(0);
    let magnitude = 0;
    for (let tap = 0; tap < kernelHeight * kernelWidth; tap++) {
      const y = top + Math.floor(tap / kernelWidth);
      const x = left + (tap % kernelWidth);
      if (y < 0 || y >= height || x < 0 || x >= width) continue;
      for (let channel = 0; channel < channels; channel++) {
        const at = (y * width + x) * channels + channel;
        const c = center[at]!;
        const s = spread[at]!;
        magnitude += Math.abs(c) + radius[at]!;
        const first = Math.floor(channel / channelsIn) * filtersIn;
        const weights = (tap * channelsIn + (channel % channelsIn)) * filters + first;
        for (let filter = 0; filter < filtersIn; filter++) {
          const weight = kernel[weights + filter]!;
          sums[first + filter]! += weight * c;
          spreads[first + filter]! += Math.abs(weight) * s;
        }
      }
    }
    for (let filter = 0; filter < filters; filter++) {
      const middle = scale[filter]! * sums[filter]! + shift[filter]!;
      const reach =
        (Math.abs(scale[filter]!) * spreads[filter]! + error * shiftSize[filter]! + flushed * magnitude + underflow) *
        slack;
      lower[pixel * filters + filter] = down(middle - reach);
      upper[pixel * filters + filter] = up(middle + reach);
    }
  }
  return { lower, upper };
}

/** What the sum of two values may be off by: one rounding, and underflow of an operand or of the result. */
export const addError = (largest: number, level: Level): number =>
  level === 'real' ? 0 : largest * UNIT_32 * (1 + 2 ** -20) + 2 ** -120;

/** The largest absolute value between two bounds. */
export const magnitudeOf = ({ lower, upper }: Bounds, i: number): number => Math.max(-lower[i]!, upper[i]!);

/** The largest absolute value within bounds. */
export function widestOf(bounds: Bounds): number {
  let widest = 0;
  for (let i = 0; i < bounds.lower.length; i++) widest = Math.max(widest, magnitudeOf(bounds, i));
  return widest;
}

function sum(layer: AddLayer, a: Bounds, b: Bounds, level: Level): Bounds {
  const [lower, upper] = [new Float64Array(sizeOf(layer.to)), new Float64Array(sizeOf(layer.to))];
  for (let i = 0; i < lower.length; i++) {
    const error = addError(magnitudeOf(a, i) + magnitudeOf(b, i), level);
    lower[i] = down(down(a.lower[i]! + b.lower[i]!) - error);
    upper[i] = up(up(a.upper[i]! + b.upper[i]!) + error);
  }
  return { lower, upper };
}

/** max(x, 0) is exact. */
const relu = ({ lower, upper }: Bounds): Bounds => ({
  lower: lower.map((x) => Math.max(x, 0)),
  upper: upper.map((x) => Math.max(x, 0)),
});

function boundsAfter(layer: Layer, values: readonly Bounds[], level: Level): Bounds {
  if (layer.kind === 'affine') return affine(layer, values[layer.input]!, level);
  if (layer.kind === 'relu') return relu(values[layer.input]!);
  return sum(layer, values[layer.inputs[0]]!, values[layer.inputs[1]]!, level);
}

/** Bounds of every value, the box of the input first. */
export function propagate(network: Network, box: Bounds, level: Level): readonly Bounds[] {
  demand(box.lower.length === sizeOf(network.inputShape), 'the input does not have the shape of the network');
  const values = [checked(box, 'the input')];
  for (const [i, layer] of network.layers.entries()) {
    values.push(checked(boundsAfter(layer, values, level), `layer ${i + 1} (${layer.kind})`));
  }
  return values;
}

/** Constants of float32 rounding, computed in float64 and rounded so that a bound that uses them stays a bound. */
import { CertError } from '@cert/core';

/**
 * What a bound claims. `nearest`: no claim about rounding. `real`: the network over the real numbers, with exact parameters. `deployed`:
 * also every float32 execution of the network, with any order of sums, with or without fused multiply-add, with gradual or flushed
 * underflow, and BatchNorm as written, as scale and shift, or folded into the preceding layer.
 */
export type Arithmetic = 'nearest' | 'real' | 'deployed';

/** The levels of {@link Arithmetic} that account for rounding. */
export type SoundLevel = Exclude<Arithmetic, 'nearest'>;

/** The unit roundoff of float32. */
export const UNIT = 2 ** -24;

/** Far above everything that underflow can lose, far below every number that matters. */
export const TINY = 2 ** -100;

/** Magnitudes of at most this size keep every sum of an execution below 2^126: no overflow. */
export const LARGEST = 2 ** 100;

const bits = new DataView(new ArrayBuffer(8));

/** The smallest float64 above a finite number. */
function nextUp(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  bits.setFloat64(0, x);
  bits.setBigInt64(0, bits.getBigInt64(0) + (x > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}

/** The smallest float32 that is at least a number. */
export function roundUp(x: number): number {
  const nearest = Math.fround(x);
  if (!(nearest < x)) return nearest;
  if (nearest === 0) return 2 ** -149;
  bits.setFloat32(0, nearest);
  bits.setInt32(0, bits.getInt32(0) + (nearest > 0 ? 1 : -1));
  return bits.getFloat32(0);
}

/** The largest float32 that is at most a number. */
export const roundDown = (x: number): number => -roundUp(-x);

/** Whether a number is its own decimal: fifteen digits say exactly what it is. */
const isItsDecimal = (x: number): boolean => Number.isInteger(x * 1024) && Math.abs(x) < 1024;

/**
 * A float64 that is at least the decimal (0.7) or the fraction (8/255) that a number was read from: reading it rounds by at most half a unit.
 */
export const decimalUp = (x: number): number => (isItsDecimal(x) ? x : nextUp(x));

/** A float64 that is at most the decimal or the fraction that a number was read from. */
export const decimalDown = (x: number): number => -decimalUp(-x);

/** n u / (1 - n u): the relative error of n roundings of float32, rounded up. */
export function gamma(n: number): number {
  if (!(n < 2 ** 21)) {
    throw new CertError(
      'bad-argument',
      `A sum of ${n} terms in float32 has no useful error bound.`,
      'Use layers with fewer than two million inputs per neuron, or verify with the arithmetic nearest.',
    );
  }
  return nextUp(nextUp((n * UNIT) / (1 - n * UNIT)));
}

/** What a node can be, as float64 intervals: their ends, their magnitudes, and the box of an input. */
import { decimalDown, decimalUp } from '@cert/bounds';
import {
  CertError,
  categoryMask,
  checkInRange,
  type DataRange,
  eachFeature,
  fixedCategories,
  type Perturbation,
  type Shape,
} from '@cert/core';

/** Twice the unit roundoff of float64: every error term here counts each of our own roundings twice. */
export const UNIT = 2 ** -52;

/** An upper bound of the relative error of n roundings of float64. */
export const ownError = (n: number): number => (n * UNIT) / (1 - n * UNIT);

/** Added to magnitudes: times an error term it exceeds what flushing inputs to 0 changes. */
const FLUSHED = 2 ** -90;

/** What a node can be: every value lies in [center - radius, center + radius]. */
export interface Enclosure {
  /** The middle, [...shape]. */
  readonly center: Float64Array;
  /** Half the width, >= 0. */
  readonly radius: Float64Array;
  /** For a node that rounds: by how much a value may differ from what the op, without rounding, makes of the values at its inputs. */
  readonly error?: Float64Array;
  /** For a scale and shift per channel: these, as computed in float64. */
  readonly scaling?: { readonly scale: Float64Array; readonly shift: Float64Array };
}

/** The bounds at all nodes. */
export interface Enclosures {
  /** By node, `input` included. */
  readonly at: ReadonlyMap<string, Enclosure>;
  /** By node, `input` included. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Whether all bounds are numbers so small that no execution overflows. Where not, nothing is proved. */
  readonly usable: boolean;
  /** A ball that also contains all inputs. */
  readonly ball?: Ball64 | undefined;
}

/** The real inputs within a Euclidean distance of a point. */
export interface Ball64 {
  /** The point, [...inputShape]; exact. */
  readonly center: Float32Array;
  /** The distance, >= 0. */
  readonly radius: number;
}

/** A box of real inputs. */
export interface Box64 {
  /** Lower ends, [...inputShape]. */
  readonly lower: Float64Array;
  /** Upper ends. */
  readonly upper: Float64Array;
  /** A ball that also contains all inputs; default: none. */
  readonly ball?: Ball64 | undefined;
}

const magnitudes = new WeakMap<Enclosure, Float64Array>();

/** |c| + r, and a little more; computed once. */
export function magnitudeOf(enclosure: Enclosure): Float64Array {
  const known = magnitudes.get(enclosure);
  if (known !== undefined) return known;
  const { center, radius } = enclosure;
  const magnitude = center.map((c, i) => (Math.abs(c) + radius[i]!) * (1 + 4 * UNIT) + FLUSHED);
  magnitudes.set(enclosure, magnitude);
  return magnitude;
}

/** The interval of two ends, its radius rounded up. */
export function fromEnds(lower: Float64Array, upper: Float64Array): Enclosure {
  const center = lower.map((l, i) => (l + upper[i]!) / 2);
  const radius = center.map((c, i) => {
    const half = Math.max(upper[i]! - c, c - lower[i]!);
    // An empty or undefined box is everything.
    return lower[i]! <= upper[i]! ? half * (1 + 4 * UNIT) + Number.MIN_VALUE : Number.NaN;
  });
  return { center, radius };
}

/** The ends of an enclosure, rounded outwards. */
export function endsOf({ center, radius }: Enclosure): { readonly lower: Float64Array; readonly upper: Float64Array } {
  const slack = center.map((c, i) => 2 * UNIT * (Math.abs(c) + radius[i]!) + Number.MIN_VALUE);
  return {
    lower: center.map((c, i) => c - radius[i]! - slack[i]!),
    upper: center.map((c, i) => c + radius[i]! + slack[i]!),
  };
}

/**
 * A box that contains a perturbation set over the real numbers around an input: all ends rounded outwards. That of a Euclidean ball has the
 * ball beside it. The box also contains an input that `checkInRange` of `@cert/core` admits, so that it is not empty where the input lies a
 * little outside the range: the float32 number nearest to 0.1 lies above a range that ends at 0.1.
 *
 * @param shape of the input
 * @param epsilon replaces the radius of the set; taken as exact
 */
export function boxAround(pixels: Float32Array, perturbation: Perturbation, shape: Shape, epsilon: number): Box64 {
  const set = perturbation.kind === 'l2' ? { ...perturbation, up: 1, down: 1 } : fixedCategories(perturbation, shape);
  const mask = perturbation.kind === 'l2' ? null : categoryMask(perturbation, shape);
  const { min, max } = set.range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  const [up, down] = [eachFeature(set.up, shape), eachFeature(set.down, shape)];
  const [least, most] = [eachFeature(min, shape), eachFeature(max, shape)];
  // A multiple that is 1 is exact, and so is its product.
  const reachOf = (multiple: number) => (multiple === 1 ? epsilon : multiple * epsilon * (1 + 4 * UNIT));
  const slack = (x: number, reach: number) => 2 * UNIT * (Math.abs(x) + reach) + Number.MIN_VALUE;
  const admitted = isAdmitted(pixels, set.range, shape);
  const finite = (end: number, outwards: (x: number) => number) => (Number.isFinite(end) ? outwards(end) : end);
  const lower = Float64Array.from(pixels, (x, i) => {
    if (mask?.[i] === 1) return 0;
    const reach = reachOf(down[i]!);
    return Math.max(
      x - reach - slack(x, reach),
      Math.min(finite(least[i]!, decimalDown), admitted ? x : Number.POSITIVE_INFINITY),
    );
  });
  const upper = Float64Array.from(pixels, (x, i) => {
    if (mask?.[i] === 1) return 1;
    const reach = reachOf(up[i]!);
    return Math.min(
      x + reach + slack(x, reach),
      Math.max(finite(most[i]!, decimalUp), admitted ? x : Number.NEGATIVE_INFINITY),
    );
  });
  return { lower, upper, ...(perturbation.kind === 'l2' && { ball: { center: pixels, radius: epsilon } }) };
}

/** Whether every value lies in the range, up to the rounding that `checkInRange` allows. */
function isAdmitted(pixels: Float32Array, range: DataRange | null, shape: Shape): boolean {
  try {
    checkInRange(pixels, range, shape);
    return true;
  } catch (error) {
    if (!(error instanceof CertError && error.code === 'bad-data')) throw error;
    return false;
  }
}

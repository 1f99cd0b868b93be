import type { Box64 } from '../../float64/enclosure.js';
import { ceil32, floor32 } from '../region.js';
import type { BoxTree } from '../search.js';

/** A part of a region's box. */
export interface Part extends Box64 {
  /** The cases that are not excluded yet. */
  readonly cases: readonly number[];
  /** The lower bound of what it was split from. */
  readonly bound: number;
  /** Its place in the tree of all parts. */
  readonly tree: OpenTree;
}

/** A {@link BoxTree} that a search is building. */
export interface OpenTree extends BoxTree {
  excluded: readonly number[];
  split?: BoxTree['split'] & { readonly low: OpenTree; readonly high: OpenTree };
}

/** A part of which nothing is known. */
export const nothingExcluded = (): OpenTree => ({ excluded: [] });

/** The corner of a box where a linear function is least. */
export const cornerOf = ({ lower, upper }: Box64, slopes: Float32Array): Float32Array =>
  slopes.map((slope, i) => (slope > 0 ? lower[i]! : upper[i]!));

/** What float32 coefficients may be wrong by, relative to the magnitudes that a linear bound is the sum of. */
const SLACK = 2 ** -18;

/**
 * The box cut down to where a linear function can be <= 0: coordinate by coordinate, the others where they make it least ("relaxed clipping").
 *
 * @param onCut told what the function exceeds where the box was cut off
 * @returns undefined where it is > 0 everywhere
 */
export function clip(
  part: Part,
  slopes: Float32Array,
  constant: number,
  onCut: (excess: number) => void,
): Part | undefined {
  const { lower, upper } = part;
  let [least, size] = [constant, Math.abs(constant)];
  for (let i = 0; i < slopes.length; i++) {
    const [a, b] = [slopes[i]! * lower[i]!, slopes[i]! * upper[i]!];
    least += Math.min(a, b);
    size += Math.max(Math.abs(a), Math.abs(b));
  }
  const room = size * SLACK - least;
  if (room < 0) {
    onCut(least);
    return undefined;
  }
  const [low, high] = [lower.slice(), upper.slice()];
  for (let i = 0; i < slopes.length; i++) {
    const slope = slopes[i]!;
    const reach = room / Math.abs(slope);
    if (!(reach < upper[i]! - lower[i]!)) continue;
    onCut(size * SLACK);
    if (slope > 0) high[i] = Math.min(upper[i]!, ceil32(lower[i]! + reach));
    else low[i] = Math.max(lower[i]!, floor32(upper[i]! - reach));
  }
  return { ...part, lower: low, upper: high };
}

/** The smallest box around those that are left, with their cases. */
export function hullOf(
  boxes: readonly (Part | undefined)[],
  cases: readonly number[],
): Pick<Part, 'lower' | 'upper' | 'cases'> | undefined {
  const left = boxes.flatMap((box, i) => (box === undefined ? [] : [{ box, one: cases[i]! }]));
  const first = left[0]?.box;
  if (first === undefined) return undefined;
  return {
    lower: first.lower.map((_, i) => Math.min(...left.map(({ box }) => box.lower[i]!))),
    upper: first.upper.map((_, i) => Math.max(...left.map(({ box }) => box.upper[i]!))),
    cases: left.map(({ one }) => one),
  };
}

/** The influence that a coordinate has at least, relative to the largest. */
const UNSEEN = 1e-2;

/** A coordinate, and the value of it at which a box is split. */
export interface Place {
  readonly input: number;
  readonly at: number;
}

/** Where to split a box: at a float32 in the middle of the coordinate of the largest width times influence; undefined where none has a float32 inside. */
export function placeOf({ lower, upper }: Box64, influence: (i: number) => number): Place | undefined {
  let [best, chosen] = [-1, -1];
  const influences = Float64Array.from(lower, (_, i) => influence(i));
  // A coordinate that a linear bound does not see may matter all the same.
  const least = Math.max(UNSEEN * Math.max(...influences), 1e-30);
  const middle = (i: number) => Math.fround((lower[i]! + upper[i]!) / 2);
  for (let i = 0; i < lower.length; i++) {
    const score = (upper[i]! - lower[i]!) * Math.max(influences[i]!, least);
    if (!(lower[i]! < middle(i) && middle(i) < upper[i]!) || !(score > best)) continue;
    [best, chosen] = [score, i];
  }
  return chosen < 0 ? undefined : { input: chosen, at: middle(chosen) };
}

/** The two sides of a box that is split; both hold the value at which it is. */
export function sidesOf({ lower, upper }: Box64, { input, at }: Place): { readonly low: Box64; readonly high: Box64 } {
  const [most, least] = [upper.slice(), lower.slice()];
  most[input] = at;
  least[input] = at;
  return { low: { lower, upper: most }, high: { lower: least, upper } };
}

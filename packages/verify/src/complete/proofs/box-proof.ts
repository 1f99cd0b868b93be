import type { SoundLevel } from '@cert/bounds';
import { turn } from '@cert/jit';
import type { Box64, Enclosures } from '../../float64/enclosure.js';
import { encloseTightly, influencesOf, lowerWith } from '../../float64/tree.js';
import type { HostNetwork } from '../host-network.js';
import { type Place, placeOf, sidesOf } from '../inputs/input-boxes.js';
import { boxOf, type Region, rowAt } from '../region.js';
import type { BoxTree } from '../search.js';

/** Options of {@link proveBoxes}. */
export interface BoxProblem {
  readonly network: HostNetwork;
  readonly region: Region;
  /** How a search has split the region's box: nothing that it says is taken as proved. */
  readonly tree: BoxTree;
  /** What the proof holds for. */
  readonly level: SoundLevel;
  /** Asked before each box. */
  readonly expired: () => boolean;
  /**
   * Whether bounds on a box may use those on boxes around it, which is faster; default false: then they are those that a checker finds, who knows
   * nothing of other boxes.
   */
  readonly inherit?: boolean;
  /** What a bound has to exceed besides 0, as a multiple of the largest error of an output; default 0. */
  readonly spare?: number;
}

/** A box whose cases are proved, each on the box or on both of its sides. */
export interface ProvedBox {
  /** By the place of a case that is proved on the whole box: which of its inequalities does not hold, from 0. */
  readonly rows: ReadonlyMap<number, number>;
  /** Where it was split for the cases that are left. */
  readonly split?: Place & { readonly low: ProvedBox; readonly high: ProvedBox };
}

/** How often a box that a search did not split is split where its proof does not withstand rounding. */
const MORE_SPLITS = 6;

/** Splits after which bounds on a box are computed for those in it. */
const RENEWED = 4;

/** What is known of a box from those around it. */
interface Above {
  readonly open: readonly number[];
  readonly due: readonly number[];
  readonly more: number;
  readonly around: { readonly bounds: Enclosures; readonly splits: number } | undefined;
}

/** What a search says of a box that it did not split. */
const NOTHING: BoxTree = { excluded: [] };

/** Whether both sides of a split are boxes. */
const isInside = ({ input, at }: Place, { lower, upper }: Box64): boolean => lower[input]! < at && at < upper[input]!;

/**
 * Proves a region in float64, with all roundings accounted for: each box by bounds on this box, with the usual slopes. A box on which this fails is
 * split as the search did, and a few times more.
 *
 * @returns undefined where a box fails, bounds are of no use, or time is up; the smallest bound is relative to what has to be exceeded
 */
export async function proveBoxes(
  problem: BoxProblem,
): Promise<{ readonly tree: ProvedBox; readonly lower: number } | undefined> {
  const { network, region, level, expired, inherit = false, spare = 0 } = problem;
  const last = network.model.nodes.at(-1)!.name;
  let lower = Number.POSITIVE_INFINITY;
  let boxes = 0;

  /** The row by which a case is missed on a box, of what is tried the one that is missed by most. */
  function missed(bounds: Enclosures, one: number): { readonly row: number; readonly lower: number } {
    const error = bounds.at.get(last)!.error;
    const candidates = region.cases[one]!.map((place, row) => {
      const { coefficients, bound } = rowAt(region, place);
      const kept = coefficients.reduce((sum, c, j) => sum + Math.abs(c) * (error?.[j] ?? 0), 0) * spare;
      return { row, lower: lowerWith(network, bounds, { splits: [], slopes: {} }, coefficients) - bound - kept };
    });
    return candidates.reduce((best, each) => (each.lower > best.lower ? each : best));
  }

  /**
   * @param open the cases that are not proved on a box around this one
   * @param due those of them that a search has excluded there
   * @param more how often a box may be split that the search did not split
   * @param around bounds on a box around this one, some splits above
   */
  async function prove(tree: BoxTree, box: Box64, { open, due, more, around }: Above): Promise<ProvedBox | undefined> {
    if (boxes++ % 8 === 0) await turn();
    if (expired()) return undefined;
    const { split } = tree;
    const isDue = (one: number) => due.includes(one) || tree.excluded.includes(one);
    // Whatever the search says, a box without splits is the last place to prove a case.
    const tried = split === undefined ? open : open.filter(isDue);
    const rows = new Map<number, number>();
    let place: Place | undefined = split;
    let own = around && { ...around, splits: around.splits + 1 };
    if (tried.length > 0 || (inherit && (own === undefined || own.splits >= RENEWED))) {
      const bounds = encloseTightly({ network, box, level }, expired, around?.bounds);
      if (!bounds.usable) return undefined;
      if (inherit) own = { bounds, splits: 0 };
      for (const one of tried) {
        const found = missed(bounds, one);
        // NaN is not above 0.
        if (found.lower > 0) {
          rows.set(one, found.row);
          lower = Math.min(lower, found.lower);
        } else if (more > 0) {
          place ??= placeOf(box, influenceOf(bounds, rowAt(region, region.cases[one]![found.row]!).coefficients));
        }
      }
    }
    const left = open.filter((one) => !rows.has(one));
    if (left.length === 0) return { rows };
    if (place === undefined || !isInside(place, box)) return undefined;
    const sides = sidesOf(box, place);
    const below = { open: left, due: left.filter(isDue), more: split === undefined ? more - 1 : more, around: own };
    const low = await prove(split?.low ?? NOTHING, sides.low, below);
    const high = low && (await prove(split?.high ?? NOTHING, sides.high, below));
    return low && high && { rows, split: { input: place.input, at: place.at, low, high } };
  }

  function influenceOf(bounds: Enclosures, coefficients: Float64Array): (input: number) => number {
    const influences = influencesOf(network, bounds, coefficients);
    return (input) => Math.abs(influences[input]!);
  }

  const proved = await prove(problem.tree, boxOf(region), {
    open: region.cases.map((_, one) => one),
    due: [],
    more: MORE_SPLITS,
    around: undefined,
  });
  return proved && { tree: proved, lower };
}

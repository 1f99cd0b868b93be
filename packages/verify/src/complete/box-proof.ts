import type { SoundLevel } from '@cert/bounds';
import { turn } from '@cert/jit';
import type { Box64, Enclosures } from '../float64/intervals.js';
import { encloseTightly, influencesOf, lowerWith } from '../float64/tree.js';
import type { HostNetwork } from './host-network.js';
import { type Place, placeOf, sidesOf } from './input-boxes.js';
import { boxOf, type Region, rowAt } from './region.js';
import type { BoxTree } from './search.js';

/** What {@link proveBoxes} takes. */
export interface BoxProblem {
  readonly network: HostNetwork;
  readonly region: Region;
  /** How a search has split the region's box. */
  readonly tree: BoxTree;
  /** What the proof holds for. */
  readonly level: SoundLevel;
  /** Asked before each box. */
  readonly expired: () => boolean;
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

/**
 * Proves a region in float64, with all roundings accounted for: each box by bounds on this box, with the usual slopes. A box on which this fails is
 * split as the search did, and a few times more.
 *
 * @returns undefined where a box fails, bounds are of no use, or time is up; the smallest bound is relative to what has to be exceeded
 */
export async function proveBoxes(
  problem: BoxProblem,
): Promise<{ readonly tree: ProvedBox; readonly lower: number } | undefined> {
  const { network, region, level, expired, spare = 0 } = problem;
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

  async function prove(
    tree: BoxTree,
    box: Box64,
    carried: readonly number[],
    more: number,
  ): Promise<ProvedBox | undefined> {
    if (boxes++ % 8 === 0) await turn();
    if (expired()) return undefined;
    const tried = [...carried, ...tree.excluded];
    const rows = new Map<number, number>();
    const left: number[] = [];
    let place: Place | undefined = tree.split;
    if (tried.length > 0) {
      const bounds = encloseTightly({ network, box, level }, expired);
      if (!bounds.usable) return undefined;
      for (const one of tried) {
        const found = missed(bounds, one);
        // NaN is not above 0.
        if (found.lower > 0) {
          rows.set(one, found.row);
          lower = Math.min(lower, found.lower);
          continue;
        }
        left.push(one);
        place ??= placeOf(box, influenceOf(bounds, rowAt(region, region.cases[one]![found.row]!).coefficients));
      }
    }
    if (left.length === 0 && tree.split === undefined) return { rows };
    if (place === undefined || (tree.split === undefined && more === 0)) return undefined;
    const sides = sidesOf(box, place);
    const under = (side: 'low' | 'high') =>
      prove(tree.split?.[side] ?? { excluded: [] }, sides[side], left, tree.split === undefined ? more - 1 : more);
    const low = await under('low');
    const high = low && (await under('high'));
    return low && high && { rows, split: { ...place, low, high } };
  }

  function influenceOf(bounds: Enclosures, coefficients: Float64Array): (input: number) => number {
    const influences = influencesOf(network, bounds, coefficients);
    return (input) => influences[input]!;
  }

  const proved = await prove(problem.tree, boxOf(region), [], MORE_SPLITS);
  return proved && { tree: proved, lower };
}

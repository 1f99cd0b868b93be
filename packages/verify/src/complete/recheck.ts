import { type SoundLevel, soundIbp } from '@cert/bounds';
import { turn } from '@cert/jit';
import type { Box64 } from '../float64/intervals.js';
import { covers, type Evidence64, encloseTightly, lowerWith } from '../float64/tree.js';
import type { HostNetwork } from './host-network.js';
import type { Region } from './region.js';
import type { ProvedPart } from './search.js';

/** What a search over ReLUs says that it has proved of a region. */
export interface Proof {
  readonly region: Region;
  readonly parts: readonly ProvedPart[];
}

/** Whether float64 knows every op of a network. */
export function hasFloat64({ model }: HostNetwork): boolean {
  const { rules } = soundIbp({ level: 'deployed' });
  return model.nodes.every(({ op }) => op in rules);
}

/**
 * Proves a region again in float64, with all roundings accounted for, from what a float32 search has found: every part by the slopes and
 * multipliers that were enough there.
 *
 * @param network that the search was about, unchanged
 * @param expired asked now and then
 * @returns false where a part fails, parts do not cover the region, bounds are of no use, or time is up
 */
export async function proveAgain(
  network: HostNetwork,
  { region, parts }: Proof,
  level: SoundLevel,
  expired: () => boolean,
): Promise<boolean> {
  const classes = network.model.classes;
  const { lower, upper } = region.exact;
  const whole: Box64 = { lower: lower.map((x) => outwards(x, -1)), upper: upper.map((x) => outwards(x, 1)) };
  const rowOf = (row: number) => Float64Array.from(region.matrix.subarray(row * classes, (row + 1) * classes));
  const bounds = encloseTightly({ network, box: whole, level }, expired);
  if (!bounds.usable) return false;
  for (const [one] of region.cases.entries()) {
    const own = parts.filter(({ of }) => of === one);
    if (!covers(own.map(({ splits }) => splits))) return false;
    for (const [i, part] of own.entries()) {
      if (i % 64 === 0) await turn();
      if (expired()) return false;
      const excluded = region.cases[one]!.some(
        (row, k) => lowerWith(network, bounds, evidenceOf(part, k), rowOf(row)) > outwards(region.bounds[row]!, 1),
      );
      if (!excluded) return false;
    }
  }
  return true;
}

/** What a part holds for the k-th row of its case. */
const evidenceOf = ({ splits, mixtures }: ProvedPart, k: number): Evidence64 => ({
  splits: splits.map(({ node, neuron, sign, multipliers }) => ({ node, neuron, sign, multiplier: multipliers[k]! })),
  slopes: mixtures[k]!,
});

/** A number moved by more than the rounding of a decimal to float64. */
const outwards = (x: number, sign: 1 | -1): number => x + sign * (Math.abs(x) * 2 ** -52 + Number.MIN_VALUE);

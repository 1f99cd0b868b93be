import { type SoundLevel, soundIbp } from '@cert/bounds';
import { turn } from '@cert/jit';
import { covers, type Evidence64, encloseTightly, lowerWith } from '../../float64/tree.js';
import type { HostNetwork } from '../host-network.js';
import { boxOf, type Region, rowAt } from '../region.js';
import type { BoxTree, ProvedPart } from '../search.js';
import { proveBoxes } from './box-proof.js';

/** What a search says that it has proved of a region: by splits of ReLUs, or of its box. */
export type Proof = { readonly region: Region } & (
  | { readonly parts: readonly ProvedPart[] }
  | { readonly tree: BoxTree }
);

/** Whether float64 knows every op of a network. */
export function hasFloat64({ model }: HostNetwork): boolean {
  const { rules } = soundIbp({ level: 'deployed' });
  return model.nodes.every(({ op }) => op in rules);
}

/**
 * Proves a region again in float64, with all roundings accounted for, from what a float32 search has found: every part by the slopes and
 * multipliers that were enough there, every box by the usual slopes.
 *
 * @param network that the search was about, unchanged
 * @param expired asked now and then
 * @returns false where a part fails, parts do not cover the region, bounds are of no use, or time is up
 */
export async function proveAgain(
  network: HostNetwork,
  proof: Proof,
  level: SoundLevel,
  expired: () => boolean,
): Promise<boolean> {
  if ('tree' in proof) return (await proveBoxes({ network, level, expired, inherit: true, ...proof })) !== undefined;
  const { region, parts } = proof;
  const bounds = encloseTightly({ network, box: boxOf(region), level }, expired);
  if (!bounds.usable) return false;
  for (const [one] of region.cases.entries()) {
    const own = parts.filter(({ of }) => of === one);
    if (!covers(own.map(({ splits }) => splits))) return false;
    for (const [i, part] of own.entries()) {
      if (i % 64 === 0) await turn();
      if (expired()) return false;
      const excluded = region.cases[one]!.some((row, k) => {
        const { coefficients, bound } = rowAt(region, row);
        return lowerWith(network, bounds, evidenceOf(part, k), coefficients) > bound;
      });
      if (!excluded) return false;
    }
  }
  return true;
}

/** What a part holds for the k-th row of its case. */
const evidenceOf = ({ splits, mixtures }: ProvedPart, k: number): Evidence64 => ({
  splits: splits.map(({ node, neuron, sign, multipliers }) => ({
    ...{ node, neuron, sign },
    // A negative multiplier bounds nothing.
    multiplier: Math.max(0, multipliers[k]!),
  })),
  slopes: mixtures[k]!,
});

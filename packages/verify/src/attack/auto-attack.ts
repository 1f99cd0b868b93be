import type { Perturbation } from '@cert/core';
import { apgdCe, apgdT } from './apgd.js';
import type { Attack } from './attack.js';
import { fabT } from './fab.js';
import { square } from './square.js';

/** Options of {@link autoAttack}. */
export interface AutoAttackOptions {
  /** Seed of all random draws; default 0. */
  readonly seed?: number;
  /** Kind of the perturbation sets: `linf` (default), or `l2` for Euclidean balls. */
  readonly kind?: Perturbation['kind'];
}

/**
 * Returns the attacks of AutoAttack (Croce & Hein 2020) with standard settings, for `certify({ attacks })`: APGD on the cross-entropy, APGD
 * on the targeted DLR loss and FAB-T with 100 steps (9 target classes each), Square with 5,000 queries. Each attack runs on the images that
 * earlier attacks did not break. In Euclidean sets, these are the two attacks with APGD: FAB-T and Square search l-infinity sets.
 */
export const autoAttack = ({ seed = 0, kind = 'linf' }: AutoAttackOptions = {}): readonly Attack[] => [
  apgdCe({ seed }),
  apgdT({ seed }),
  ...(kind === 'linf' ? [fabT({ seed }), square({ seed })] : []),
];

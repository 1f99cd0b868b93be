import { apgdCe, apgdT } from './apgd.js';
import type { Attack } from './attack.js';
import { fabT } from './fab.js';
import { square } from './square.js';

/** Options of {@link autoAttack}. */
export interface AutoAttackOptions {
  /** Seed of all random draws; default 0. */
  readonly seed?: number;
}

/**
 * Returns the attacks of AutoAttack (Croce & Hein 2020) with standard settings, for `certify({ attacks })`: APGD on the cross-entropy, APGD
 * on the targeted DLR loss and FAB-T with 100 steps (9 target classes each), Square with 5,000 queries. Each attack runs on the images that
 * earlier attacks did not break. All four search l-infinity and Euclidean sets.
 */
export const autoAttack = ({ seed = 0 }: AutoAttackOptions = {}): readonly Attack[] => [
  apgdCe({ seed }),
  apgdT({ seed }),
  fabT({ seed }),
  square({ seed }),
];

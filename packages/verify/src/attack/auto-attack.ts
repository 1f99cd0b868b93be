import { apgdCe, apgdT } from './apgd.js';
import type { Attack } from './attack.js';
import { fabT } from './fab.js';
import { square } from './square.js';

/**
 * Returns the attacks of AutoAttack (Croce & Hein 2020) with standard settings, for `certify({ attacks })`: APGD on the cross-entropy, APGD
 * on the targeted DLR loss and FAB-T with 100 steps (9 target classes each), Square with 5,000 queries. Each attack runs on the images that
 * earlier attacks did not break.
 *
 * @param options.seed seed of all random draws; default 0
 */
export const autoAttack = ({ seed = 0 }: { readonly seed?: number } = {}): readonly Attack[] => [
  apgdCe({ seed }),
  apgdT({ seed }),
  fabT({ seed }),
  square({ seed }),
];

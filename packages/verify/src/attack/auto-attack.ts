import { apgdCe, apgdT } from './apgd.js';
import type { Attack } from './attack.js';
import { fabT } from './fab.js';
import { square } from './square.js';

/**
 * The attacks of AutoAttack (Croce & Hein 2020) with its standard settings, for `certify({ attacks })`: APGD on the cross-entropy, APGD on
 * the targeted DLR loss and FAB-T with 100 steps (towards 9 classes each), Square with 5,000 queries. Each attacks what those before it left unbroken.
 *
 * @param options.seed of all random draws; default 0
 */
export const autoAttack = ({ seed = 0 }: { readonly seed?: number } = {}): readonly Attack[] => [
  apgdCe({ seed }),
  apgdT({ seed }),
  fabT({ seed }),
  square({ seed }),
];

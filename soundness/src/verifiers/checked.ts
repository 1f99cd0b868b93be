import { soundCrownIbpSteps, soundIbpSteps } from '@cert/verify';
import { referenceIbp } from '../exact/reference-ibp.js';
import type { CheckedBounds } from '../sampler/check-contains.js';
import { float64Margins } from './float64.js';
import { nearestCrownIbp, nearestIbp } from './nearest.js';
import { soundBounds } from './sound.js';

/** A method with what is expected of it. */
export interface ListedBounds extends CheckedBounds {
  /** Whether it claims to hold in floating point: then a violation is an error. Otherwise none at all would be one: the sampler would be blind. */
  readonly sound: boolean;
}

/** What `npm run soundness` checks. A new sound method joins with one row for each of its levels. */
export const CHECKED: readonly ListedBounds[] = [
  { name: 'ibp', level: 'deployed', quantity: 'logits', bound: nearestIbp, sound: false },
  { name: 'ibp', level: 'real', quantity: 'logits', bound: nearestIbp, sound: false },
  { name: 'crown-ibp', level: 'deployed', quantity: 'logits', bound: nearestCrownIbp, sound: false },
  { name: 'crown-ibp', level: 'real', quantity: 'logits', bound: nearestCrownIbp, sound: false },
  { name: 'sound-ibp', level: 'deployed', quantity: 'logits', bound: soundBounds, sound: true },
  { name: 'sound-ibp', level: 'real', quantity: 'logits', bound: soundBounds, sound: true },
  ...(['deployed', 'real'] as const).flatMap((level): ListedBounds[] => [
    { name: 'float64-ibp', level, quantity: 'margins', bound: float64Margins(soundIbpSteps), sound: true },
    { name: 'float64-crown-ibp', level, quantity: 'margins', bound: float64Margins(soundCrownIbpSteps), sound: true },
  ]),
  { name: 'reference', level: 'deployed', quantity: 'logits', bound: referenceIbp(), sound: true },
  { name: 'reference', level: 'real', quantity: 'logits', bound: referenceIbp(), sound: true },
];

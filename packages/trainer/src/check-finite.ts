import { CertError } from '@cert/core';
import type { HostState } from './state.js';

/** What else helps where training diverges. */
export const DIVERGED = 'Lower the learning rate or the radius, or lengthen the ramp.';

/**
 * Checks the weights that a step leaves: an update can overflow though the loss and the gradient before it were finite.
 *
 * @param when the step, for the message
 * @throws CertError `not-finite` naming the first parameter or running statistic with NaN or infinity
 */
export function checkFinite({ params, stats }: Pick<HostState, 'params' | 'stats'>, when: string): void {
  for (const [what, tree] of [
    ['parameter', params],
    ['running statistic', stats],
  ] as const) {
    for (const [node, tensors] of Object.entries(tree)) {
      for (const [name, { data }] of Object.entries(tensors)) {
        const value = data.find((number) => !Number.isFinite(number));
        if (value === undefined) continue;
        throw new CertError('not-finite', `${when}: the update made the ${what} "${node}.${name}" ${value}.`, DIVERGED);
      }
    }
  }
}

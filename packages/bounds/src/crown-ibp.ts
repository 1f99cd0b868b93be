import type { BoundMethod } from '@cert/core';
import { boundOutput, type LinearRelaxationOptions } from './crown-margins.js';
import { ibp } from './ibp.js';

/**
 * Creates CROWN-IBP from a forward method and backward rules:
 * `crownIbpOf({ forward: extend(ibp, ...), backward: extendBackward(linearRelaxation, ...) })`.
 *
 * @returns a method named `crown-ibp`; its `bound` throws CertError `missing-rule` for an op that is missing in either table
 */
export function crownIbpOf(options: LinearRelaxationOptions = {}): BoundMethod {
  const { forward = ibp } = options;
  return {
    name: 'crown-ibp',
    bound(problem) {
      const { at } = forward.bound(problem);
      return { output: boundOutput(problem, at, options), at };
    },
  };
}

/**
 * CROWN-IBP (Zhang et al. 2020): intermediate bounds by IBP, then one backward pass of linear relaxation from the specification to the
 * input.
 */
export const crownIbp = crownIbpOf();

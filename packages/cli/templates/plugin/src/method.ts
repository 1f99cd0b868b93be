import { crownIbpOf, extendRules, standardRules } from '@cert/bounds';
import { type BoundMethod, tf } from '@cert/core';
import { absoluteRules } from './absolute.js';

/** The tables of cert with the op of this package. */
export const rules = extendRules(standardRules, { absolute: absoluteRules });

const crownIbp = crownIbpOf({ forward: rules.ibp, backward: rules.linearRelaxation });

/** The tighter one of IBP and CROWN-IBP, bound by bound: both hold, so does their intersection. */
export const method: BoundMethod = {
  name: '{{short}}',
  bound(problem) {
    const [a, b] = [rules.ibp.bound(problem), crownIbp.bound(problem)];
    return {
      at: a.at,
      output: {
        lower: tf.maximum(a.output.lower, b.output.lower),
        upper: tf.minimum(a.output.upper, b.output.upper),
      },
    };
  },
};

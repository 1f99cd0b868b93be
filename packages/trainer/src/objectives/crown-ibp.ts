import { type BackwardTable, crownMargins, fusedExponentials, linearRelaxation } from '@cert/bounds';
import { type Scalar, tf } from '@cert/core';
import { robustLoss, weightedMean } from '../loss.js';
import type { BoundedContext, BoundedObjective } from './objective.js';
import { type CertifiedOptions, withNaturalLoss } from './robust.js';

/** Options of {@link crownIbpObjective}. */
export interface CrownIbpOptions extends CertifiedOptions {
  /** Loss fusion (Xu et al. 2020): one bound per image instead of one per margin; default true. */
  readonly fusion?: boolean;
  /** Backward rules; default {@link linearRelaxation}. */
  readonly backward?: BackwardTable;
}

/**
 * CROWN-IBP training (Zhang et al. 2020): f times the bounds of one backward pass of linear relaxation plus 1 - f times the IBP bounds,
 * with f = 1 - `hyper.ramp` decreasing from 1 to 0 as the radius grows. Margins are mixed before the robust loss; with fusion, the bounds
 * of sum_j exp(logit_j - logit_y) are mixed before the logarithm.
 *
 * The bound method of the step, which should be IBP, gives the intermediate bounds. Named `crown-ibp-fused`, `crown-ibp` without fusion.
 */
export const crownIbpObjective = ({
  fusion = true,
  backward = linearRelaxation,
  ...options
}: CrownIbpOptions = {}): BoundedObjective =>
  withNaturalLoss(options, {
    name: fusion ? 'crown-ibp-fused' : 'crown-ibp',
    bounded: true,
    weighted: true,
    loss: (context) => (fusion ? fusedLoss : mixedLoss)(context, backward),
  });

function mixedLoss(context: BoundedContext, backward: BackwardTable): Scalar {
  const { problem, bounds, hyper, weights } = context;
  const ramp = hyper.ramp!;
  const margins = crownMargins(problem, bounds.at, { backward });
  return robustLoss(tf.add(tf.mul(margins, tf.sub(1, ramp)), tf.mul(bounds.output.lower, ramp)), weights);
}

function fusedLoss({ problem, bounds, hyper, weights }: BoundedContext, backward: BackwardTable): Scalar {
  const ramp = hyper.ramp!;
  const { shift, ibp, crownIbp } = fusedExponentials(problem, bounds, { backward });
  const mixed = tf.add(tf.mul(crownIbp, tf.sub(1, ramp)), tf.mul(ibp, ramp));
  return weightedMean(tf.add(tf.log(mixed), shift), weights);
}

import { type Bounds, stopGradient, type Tensor, type Tensor3D, tf } from '@cert/core';
import { crownMargins, type LinearRelaxationOptions, type SpecifiedProblem } from './crown-margins.js';
import { atLeast } from './linear.js';

const { add, mul, sub } = tf;

/**
 * Upper bounds of S = sum_j exp(logit_j - logit_y) over all classes j, including y, times exp(-shift) to avoid overflow:
 * log S <= log(bound) + shift, an upper bound of the cross-entropy. All of shape [batch].
 */
export type FusedExponentials = {
  /** The largest IBP upper bound of logit_j - logit_y, 0 included. No gradient. */
  readonly shift: Tensor;
  /** The bound by IBP: every exp at the upper end of its range. */
  readonly ibp: Tensor;
  /** The bound by one backward pass through the sum of the chords. */
  readonly crownIbp: Tensor;
};

/** Ranges of a margin narrower than this have no chord; its slope is then 0. */
const NARROWEST = 1e-8;

/**
 * Loss fusion (Xu et al. 2020): bounds one number per image instead of every margin. Each exp is replaced by its chord over the IBP range
 * of logit_j - logit_y, and one backward pass with a single row per image bounds the sum of the chords. Looser than bounding margins
 * separately, but needs one row instead of classes - 1.
 *
 * @param problem with the margins of the labels as specification, `marginSpec(labels, classes)`
 * @param bounds IBP bounds of it
 * @param options `backward` and `chunk`
 * @throws CertError `missing-rule` for an op without a backward rule
 */
export function fusedExponentials(
  problem: SpecifiedProblem,
  bounds: Bounds,
  options: Omit<LinearRelaxationOptions, 'forward'> = {},
): FusedExponentials {
  // A margin is logit_y - logit_j, the range of logit_j - logit_y its negative.
  const [low, high] = [tf.neg(bounds.output.upper), tf.neg(bounds.output.lower)];
  const shift = stopGradient(() => tf.relu(tf.max(high, 1)));
  const scaled = (x: Tensor) => tf.exp(sub(x, tf.expandDims(shift, 1)));
  const [least, greatest] = [scaled(low), scaled(high)];
  const own = tf.exp(tf.neg(shift));
  const slope = tf.div(sub(greatest, least), atLeast(sub(high, low), NARROWEST));
  const intercept = sub(greatest, mul(slope, high));
  // sum_j slope_j (logit_j - logit_y) <= -lower bound of sum_j slope_j margin_j: the row is the slopes times the specification.
  const row = tf.matMul(tf.expandDims(slope, 1) as Tensor3D, problem.spec.matrix) as Tensor3D;
  const chords = tf.squeeze(crownMargins({ ...problem, spec: { matrix: row } }, bounds.at, options), [1]);
  return {
    shift,
    ibp: add(tf.sum(greatest, 1), own),
    crownIbp: add(sub(tf.sum(intercept, 1), chords), own),
  };
}

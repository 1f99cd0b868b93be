import { type CenterRadius, extend, type ForwardMethod, ibp } from '@cert/bounds';
import {
  type BoundMethod,
  CertError,
  type Interval,
  mask,
  type Perturbation,
  perturbationBox,
  type Tensor,
  tf,
} from '@cert/core';
import { robustLoss } from '../loss.js';
import { type AttackOptions, attack, attackNoise } from './attack.js';
import type { BoundedObjective, ChoiceContext } from './objective.js';
import { type CertifiedOptions, withNaturalLoss } from './robust.js';
import { checkShare } from './share.js';

/** Interval bounds as a method whose rules can be replaced, such as {@link ibp}. */
export type IntervalMethod = ForwardMethod<CenterRadius> & BoundMethod;

/** Options of {@link sabrObjective}. */
export interface SabrOptions extends CertifiedOptions {
  /** Size of the small box as a share of the perturbation set (lambda), from 0 (adversarial training) to 1 (IBP). */
  readonly shrinkage: number;
  /**
   * Factor on the upper bound behind every unstable ReLU, in training only; default 1. Below 1, the bounds are unsound on purpose: they
   * must not be used outside the loss.
   */
  readonly reluShrinkage?: number;
  /** Attack that places the small box; default 8 steps of half the radius, 3 random starts. */
  readonly attack?: AttackOptions;
  /** Interval bounds, to shrink; default {@link ibp}. Read only for a ReLU shrinkage below 1. */
  readonly ibp?: IntervalMethod;
}

/** The attack of the published settings: steps of 0.2 times half the width of the box, 5 times smaller from the 11th step on. */
export const SABR_ATTACK: AttackOptions = { steps: 8, stepSize: 0.2, restarts: 3, decayAfter: 10 };

/**
 * SABR, small adversarial bounding regions (Mueller, Eckert, Fischer, Vechev 2023): the robust loss of interval bounds over a small box
 * around an adversarial example, inside the perturbation set. Named `sabr`.
 *
 * With e = shrinkage times half the width of the set, feature by feature, the center is the adversarial example clipped to the set shrunk by
 * e, so that the small box lies in the set. Its attack uses the batch statistics of the clean images.
 *
 * @throws CertError `bad-argument` for a shrinkage outside [0, 1], and in a step over a Euclidean set
 */
export function sabrObjective(options: SabrOptions): BoundedObjective {
  const { shrinkage, attack: inner = SABR_ATTACK } = options;
  checkShare('shrinkage', shrinkage);
  return withNaturalLoss(options, {
    ...shrunkMethod(options),
    name: 'sabr',
    bounded: true,
    weighted: true,
    check: (_model, perturbation) => refuseBall(perturbation),
    noise: ({ inputShape }) => attackNoise(inner, inputShape),
    choose: (context) => ({ box: smallBox(context, attack(context, inner), shrinkage) }),
    loss: ({ bounds, weights }) => robustLoss(bounds.output.lower, weights),
  });
}

/**
 * Returns the small box of SABR around points of the perturbation set, [batch, ...inputShape].
 *
 * @throws CertError `bad-argument` for a Euclidean set
 */
export function smallBox(
  { images, hyper, perturbation }: Pick<ChoiceContext, 'images' | 'hyper' | 'perturbation'>,
  points: Tensor,
  shrinkage: number,
): Interval {
  refuseBall(perturbation);
  const { lower, upper } = perturbationBox(perturbation, images, hyper.epsilon!);
  const radius = tf.mul(tf.sub(upper, lower), shrinkage / 2);
  const center = tf.minimum(tf.maximum(points, tf.add(lower, radius)), tf.sub(upper, radius));
  return { lower: tf.sub(center, radius), upper: tf.add(center, radius), center, radius };
}

/** @throws CertError `bad-argument` for a Euclidean set */
export function refuseBall({ kind }: Pick<Perturbation, 'kind'>): void {
  if (kind === 'linf') return;
  throw new CertError(
    'bad-argument',
    'SABR takes small boxes from a box, but the perturbation set is a Euclidean ball.',
    'Use an l-infinity set, or another objective such as robust or mtl-ibp.',
  );
}

/** The bound method of an objective with a ReLU shrinkage; none for 1. */
export function shrunkMethod({
  reluShrinkage = 1,
  ibp: intervals = ibp,
}: Pick<SabrOptions, 'reluShrinkage' | 'ibp'>): Pick<BoundedObjective, 'method'> {
  checkShare('ReLU shrinkage', reluShrinkage);
  return reluShrinkage === 1 ? {} : { method: shrinkRelu(intervals, reluShrinkage) };
}

/** Interval bounds whose upper bound behind an unstable ReLU is multiplied by a factor. The lower bound there is 0. */
const shrinkRelu = (intervals: IntervalMethod, factor: number): IntervalMethod =>
  extend(intervals, {
    relu(node, params, context, x) {
      const { center, radius } = intervals.rules.relu!(node, params, context, x);
      const unstable = mask(() => tf.greater(x.radius, tf.abs(x.center)));
      const kept = tf.sub(1, tf.mul(unstable, 1 - factor));
      return { center: tf.mul(center, kept), radius: tf.mul(radius, kept) };
    },
  });

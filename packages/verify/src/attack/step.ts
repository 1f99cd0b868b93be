import { naturalPass, type RuleTable, runningNorm } from '@cert/bounds';
import {
  advantages,
  createRng,
  type Hyper,
  logSumExp,
  type Model,
  type Perturbation,
  projection,
  type Scalar,
  steepest,
  type Tensor,
  type Tensor1D,
  tf,
  UNIT_BALL,
  valueAndGrad,
} from '@cert/core';
import type { Weights } from '../verifier.js';

/** Options of the PGD attack (Madry et al. 2018). */
export interface AttackOptions {
  /** Steps per run; default 40. */
  readonly steps?: number;
  /** Runs from different random points of the ball; default 3. */
  readonly restarts?: number;
  /** Seed of random starts, which depend only on the seed and the index of the image in the split. Default 0. */
  readonly seed?: number;
}

/**
 * One step of the attack: the logits [batch, classes] at `point`, and the next point. A pure function of tensors; `images`, `point` and
 * the next point are [batch, ...inputShape], `labels` int32 [batch].
 */
export type AttackStep = (
  weights: Weights,
  batch: { readonly images: Tensor; readonly labels: Tensor },
  point: Tensor,
  hyper: Hyper,
) => { readonly logits: Tensor; readonly point: Tensor };

/** Far below any logit; takes the label out of a maximum. */
const NEVER = -1e30;

/**
 * Creates a step of the attack: along the sign of the gradient of log(sum_{j != y} exp(logit_j - logit_y)), which unlike the cross-entropy
 * does not vanish for confidently classified images, then projected into the perturbation set. `hyper` holds `epsilon` and `stepSize`, both in
 * the units of the images. `point` is projected first, so any start is valid. In a Euclidean set, steps go along the gradient.
 *
 * @param perturbation its radius is replaced by `hyper.epsilon`; default: an l-infinity ball, clipped to [0, 1]
 * @param natural the plain forward pass; default that of the built-in ops
 */
export function createAttackStep(
  model: Model,
  perturbation: Perturbation = UNIT_BALL,
  natural?: RuleTable<Tensor>,
): AttackStep {
  return ({ params, stats }, { images, labels }, start, hyper) => {
    const project = projection(perturbation, images, hyper.epsilon!);
    const network = { model, params, norm: runningNorm(stats) };
    const { aux, grads } = valueAndGrad(
      ({ attack }) => {
        const { output: logits } = naturalPass(network, attack!.point!, natural);
        const ahead = advantages(logits, labels);
        const own = tf.mul(tf.gather(tf.eye(model.classes), labels as Tensor1D), NEVER);
        return { value: tf.sum(logSumExp(tf.add(ahead, own))) as Scalar, aux: { logits } };
      },
      { attack: { point: project(start) } },
    );
    const moved = tf.add(project(start), tf.mul(steepest(perturbation, grads.attack!.point!), hyper.stepSize!));
    return { logits: aux.logits, point: project(moved) };
  };
}

/**
 * Returns the step size of an attack of `steps` steps, 2.5 epsilon / steps, in the units of epsilon, which lets the attack cross the ball
 * 1.25 times.
 */
export const attackStepSize = (epsilon: number, steps: number): number => (2.5 * epsilon) / steps;

/**
 * Returns uniform random points of the box around the perturbation set, one per image, not clipped to the data range. They do not depend on batching.
 *
 * @param images row-major [count, size]
 * @param options.epsilon the radius, in the units of the images
 * @param options.size numbers in one image
 * @param options.reach of each feature in multiples of epsilon; default 1
 * @param options.first the position of the first image in the split
 * @param options.seed of the attack
 * @param options.restart the number of the run, from 0
 * @param options.name of the attack, so that attacks start from different points; default that of PGD
 * @returns a new array like `images`
 */
export function randomStart(
  images: Float32Array,
  {
    epsilon,
    size,
    reach,
    first,
    seed,
    restart,
    name,
  }: {
    epsilon: number;
    size: number;
    reach?: readonly number[];
    first: number;
    seed: number;
    restart: number;
    name?: string;
  },
): Float32Array {
  const start = Float32Array.from(images);
  for (let image = 0; image * size < images.length; image++) {
    const labels = name === undefined ? ['attack'] : ['attack', name];
    const rng = createRng(seed, ...labels, restart, first + image);
    for (let i = 0; i < size; i++) start[image * size + i]! += (reach?.[i] ?? 1) * epsilon * (2 * rng.uniform() - 1);
  }
  return start;
}

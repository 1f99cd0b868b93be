import { naturalPass, type RuleTable, runningNorm } from '@cert/bounds';
import {
  createRng,
  type DataRange,
  linfBall,
  type Model,
  type Params,
  type Scalar,
  type Stats,
  type Tensor,
  type Tensor1D,
  tf,
} from '@cert/core';
import { valueAndGrad } from './gradient.js';
import { advantages, logSumExp } from './loss.js';
import type { Hyper } from './optimizer.js';

/** A projected gradient attack (Madry et al. 2018). */
export interface AttackOptions {
  /** Steps of one run; default 40. */
  readonly steps?: number;
  /** Runs from different random points of the ball; default 3. */
  readonly restarts?: number;
  /** Default 0. An image's random starts depend on this and on its position in the split alone. */
  readonly seed?: number;
}

/** One step of the attack: the logits at `point`, and the next point. */
export type AttackStep = (
  network: { readonly params: Params; readonly stats: Stats },
  batch: { readonly images: Tensor; readonly labels: Tensor },
  point: Tensor,
  hyper: Hyper,
) => { readonly logits: Tensor; readonly point: Tensor };

/** Far below any logit; takes the label out of a maximum. */
const NEVER = -1e30;

/**
 * Makes a step of the attack: up the sign of the gradient of log(sum_{j != y} exp(logit_j - logit_y)), which unlike the
 * cross-entropy does not vanish for images that are classified with confidence, then back into the clipped ball.
 * `hyper` holds `epsilon` and `stepSize`. `point` is first projected, so that any start will do.
 *
 * @param natural the plain forward pass; default that of the built-in ops
 */
export function createAttackStep(model: Model, range?: DataRange | null, natural?: RuleTable<Tensor>): AttackStep {
  return ({ params, stats }, { images, labels }, start, hyper) => {
    const { lower, upper } = linfBall(images, hyper.epsilon!, range);
    const project = (x: Tensor) => tf.minimum(tf.maximum(x, lower), upper);
    const norm = runningNorm(stats);
    const { aux, grads } = valueAndGrad(
      ({ attack }) => {
        const { output: logits } = naturalPass(model, params, attack!.point!, norm, natural);
        const ahead = advantages(logits, labels);
        const own = tf.mul(tf.gather(tf.eye(model.classes), labels as Tensor1D), NEVER);
        return { value: tf.sum(logSumExp(tf.add(ahead, own))) as Scalar, aux: { logits } };
      },
      { attack: { point: project(start) } },
    );
    const moved = tf.add(project(start), tf.mul(tf.sign(grads.attack!.point!), hyper.stepSize!));
    return { logits: aux.logits, point: project(moved) };
  };
}

/** The step size of an attack of so many steps: it can cross the ball 1.25 times. */
export const attackStepSize = (epsilon: number, steps: number): number => (2.5 * epsilon) / steps;

/**
 * Random points of the ball, not yet clipped to the data range.
 *
 * @param first the position of the first image in the split
 * @param size numbers in one image
 */
export function randomStart(
  images: Float32Array,
  {
    epsilon,
    size,
    first,
    seed,
    restart,
  }: { epsilon: number; size: number; first: number; seed: number; restart: number },
): Float32Array {
  const start = Float32Array.from(images);
  for (let image = 0; image * size < images.length; image++) {
    const rng = createRng(seed, 'attack', restart, first + image);
    for (let i = image * size; i < (image + 1) * size; i++) start[i]! += epsilon * (2 * rng.uniform() - 1);
  }
  return start;
}

import {
  type Model,
  type PerFeature,
  perFeatureTensor,
  perturbationBox,
  perturbationReach,
  projection,
  type Scalar,
  sizeOf,
  type Tensor,
  tf,
  valueAndGrad,
} from '@cert/core';
import type { Attack, AttackSetting } from './attack.js';
import { choose, clampTo, perImage } from './clamp.js';
import { EUCLIDEAN_NORM, maximumNorm } from './hyperplane.js';
import { marginLoss, targetedMargin } from './losses.js';
import { type DeviceAttack, deviceAttacker, forward } from './on-device.js';
import { hostReach, isBall } from './perturbed.js';
import { randomStart } from './step.js';
import { targetOf, targetsOf } from './targets.js';

/** Options of the fast adaptive boundary attack. */
export interface FabOptions {
  /** Steps per run; default 100. */
  readonly steps?: number;
  /** Runs per target class: the first starts from the image, the others from random points around it; default 1. */
  readonly restarts?: number;
  /** Number of target classes, the most likely ones except the label; default 9, or all if there are fewer. */
  readonly targets?: number;
  /** Seed of random starts, which depend only on the seed and the index of the image in the split. Default 0. */
  readonly seed?: number;
}

/** The largest weight of the image against the current point (alpha_max). */
const ALPHA_MAX = 0.1;

/** How far a step goes towards the projections (eta): a little beyond them. */
const OVERSHOOT = 1.05;

/** What is left of the distance to the image after a step back from a misclassified point (beta). */
const BACK = 0.9;

/**
 * Returns the fast adaptive boundary attack, one target class at a time (FAB-T; Croce & Hein 2020, "Minimally distorted adversarial
 * examples").
 */
export const fabT = ({ steps = 100, restarts = 1, targets = 9, seed = 0 }: FabOptions = {}): Attack => ({
  name: 'fab-t',
  runs: (model: Model) => restarts * targetsOf(model, targets),
  points: steps,
  on: (setting) =>
    deviceAttacker(setting, boundaryAttack(setting, { targets: targetsOf(setting.model, targets), seed })),
});

/**
 * Algorithm 1 of the paper in the norm of the set: the current point and the image are projected onto the linearized boundary to the
 * target class inside the data range, and the next point lies between the two. From a misclassified point it goes back towards the image.
 * Without a data range the box around the ball of 10 radii takes its place.
 */
function boundaryAttack(
  { model, natural, perturbation }: AttackSetting,
  { targets, seed }: { readonly targets: number; readonly seed: number },
): DeviceAttack {
  const { range, epsilon: radius } = perturbation;
  const size = sizeOf(model.inputShape);
  const reach = hostReach(perturbation, model.inputShape);
  return {
    state: { point: 'image' },
    columns: 1,
    needsLogits: true,
    begin({ pixels, index, label }, run, logits) {
      const target = targetOf(logits, label, run % targets);
      const restart = Math.floor(run / targets);
      const around = { epsilon: radius / 2, size, reach, first: index, seed, restart: run, name: 'fab-t' };
      return { start: restart === 0 ? pixels : randomStart(pixels, around), control: () => [target] };
    },
    step({ weights, batch: { images, labels }, start, state, fresh, control, epsilon }) {
      const target = tf.reshape(control, [control.shape[0]!]);
      const whole = (end: PerFeature) => tf.add(tf.zerosLike(images), perFeatureTensor(end, images));
      const box =
        range === null || !isBall(perturbation)
          ? perturbationBox(perturbation, images, tf.mul(epsilon, 10))
          : { lower: whole(range.min), upper: whole(range.max) };
      const norm = perturbation.kind === 'l2' ? EUCLIDEAN_NORM : maximumNorm(perturbationReach(perturbation, images));
      const intoHalf = projection(perturbation, images, tf.mul(epsilon, 0.5));
      const point = clampTo(choose(fresh, intoHalf(start), state.point!), box);
      const { aux, grads } = valueAndGrad(
        ({ attack }) => {
          const ahead = targetedMargin(forward(model, weights, attack!.point!, natural), labels, target);
          return { value: tf.sum(ahead) as Scalar, aux: { ahead } };
        },
        { attack: { point } },
      );
      const slope = grads.attack!.point!;
      // The linearization is `ahead + slope (x - point)`, the boundary where it is 0.
      const fromPoint = norm.ontoHyperplane(point, slope, aux.ahead, box);
      const offset = tf.sum(tf.reshape(tf.mul(slope, tf.sub(images, point)), [images.shape[0]!, size]), 1);
      const fromImage = norm.ontoHyperplane(images, slope, tf.add(aux.ahead, offset), box);
      const [near, far] = [norm.distance(fromPoint, point), norm.distance(fromImage, images)];
      const share = tf.minimum(tf.div(near, tf.add(tf.add(near, far), 1e-12)), ALPHA_MAX);
      const weight = perImage(share, images);
      const beyond = (to: Tensor, from: Tensor) => tf.add(from, tf.mul(tf.sub(to, from), OVERSHOOT));
      const next = clampTo(
        tf.add(tf.mul(beyond(fromPoint, point), tf.sub(1, weight)), tf.mul(beyond(fromImage, images), weight)),
        box,
      );
      const logits = forward(model, weights, next, natural);
      const wrong = tf.cast(tf.greaterEqual(marginLoss(logits, labels, target), 0), 'float32');
      const back = tf.add(images, tf.mul(tf.sub(next, images), BACK));
      const beyondSet = norm.length(tf.sub(next, projection(perturbation, images, epsilon)(next)));
      return {
        ...{ visited: next, logits },
        outside: tf.cast(tf.greater(beyondSet, tf.add(tf.mul(epsilon, 1e-5), 1e-7)), 'float32'),
        state: { point: choose(wrong, back, next) },
      };
    },
  };
}

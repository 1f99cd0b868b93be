import {
  type Model,
  type PerFeature,
  perFeatureTensor,
  perturbationBox,
  perturbationReach,
  type Scalar,
  sizeOf,
  type Tensor,
  tf,
  valueAndGrad,
} from '@cert/core';
import type { Attack, AttackSetting } from './attack.js';
import { choose, clampTo, perImage } from './clamp.js';
import { marginLoss, targetedMargin } from './losses.js';
import { type DeviceAttack, deviceAttacker, forward } from './on-device.js';
import { boxesOnly, hostReach, isBall } from './perturbed.js';
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
 * Algorithm 1 of the paper for the l-infinity norm: the current point and the image are projected onto the linearized boundary to the
 * target class inside the data range, and the next point lies between the two. From a misclassified point it goes back towards the image.
 * Without a data range the ball of 10 radii takes its place.
 */
function boundaryAttack(
  { model, natural, perturbation: set }: AttackSetting,
  { targets, seed }: { readonly targets: number; readonly seed: number },
): DeviceAttack {
  const perturbation = boxesOnly(set, 'fab-t');
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
      const [target] = control as [Tensor];
      const whole = (end: PerFeature) => tf.add(tf.zerosLike(images), perFeatureTensor(end, images));
      const box =
        range === null || !isBall(perturbation)
          ? perturbationBox(perturbation, images, tf.mul(epsilon, 10))
          : { lower: whole(range.min), upper: whole(range.max) };
      const scale = perturbationReach(perturbation, images);
      const distanceOf = (x: Tensor, y: Tensor) => largestMove(x, y, scale);
      const point = clampTo(choose(fresh, start, state.point!), box);
      const { aux, grads } = valueAndGrad(
        ({ attack }) => {
          const ahead = targetedMargin(forward(model, weights, attack!.point!, natural), labels, target);
          return { value: tf.sum(ahead) as Scalar, aux: { ahead } };
        },
        { attack: { point } },
      );
      const slope = grads.attack!.point!;
      // The linearization is `ahead + slope (x - point)`, the boundary where it is 0.
      const fromPoint = ontoHyperplane(point, slope, aux.ahead, box, scale);
      const offset = tf.sum(flat(tf.mul(slope, tf.sub(images, point))), 1);
      const fromImage = ontoHyperplane(images, slope, tf.add(aux.ahead, offset), box, scale);
      const [near, far] = [distanceOf(fromPoint, point), distanceOf(fromImage, images)];
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
      const set = perturbationBox(perturbation, images, epsilon);
      const beyondSet = tf.max(flat(tf.maximum(tf.sub(set.lower, next), tf.sub(next, set.upper))), 1);
      return {
        ...{ visited: next, logits },
        outside: tf.cast(tf.greater(beyondSet, tf.add(tf.mul(epsilon, 1e-5), 1e-7)), 'float32'),
        state: { point: choose(wrong, back, next) },
      };
    },
  };
}

const flat = (x: Tensor): Tensor => tf.reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);

/** The l-infinity distance between points in units of the reach of each feature, [batch]. Features without reach do not move. */
const largestMove = (x: Tensor, y: Tensor, reach: Tensor | number): Tensor =>
  tf.max(flat(tf.div(tf.abs(tf.sub(x, y)), typeof reach === 'number' ? reach || 1 : tf.maximum(reach, 1e-20))), 1);

/** Newton steps of a projection; on images it takes fewer than 10. */
const NEWTON_STEPS = 12;

/** A movement beyond any data. */
const FAR = 1e10;

/**
 * The l-infinity projection of points onto the part of a hyperplane inside a box: each coordinate moves by min(t reach, its room) along the
 * slope, with the smallest t that reaches the hyperplane. What the movement gains, sum_i |slope_i| min(t reach_i, room_i), is concave and
 * piecewise linear in t, so Newton steps from t = 0 never pass the solution and reach it after finitely many. Where the box does
 * not reach the hyperplane the result is the corner closest to it.
 *
 * @param point [batch, ...], inside the box
 * @param slope the gradient of the linear function, like `point`
 * @param value of the linear function at the point, [batch]
 * @param reach of each coordinate
 * @returns like `point`
 */
export function ontoHyperplane(
  point: Tensor,
  slope: Tensor,
  value: Tensor,
  { lower, upper }: { readonly lower: Tensor; readonly upper: Tensor },
  reach: Tensor | number = 1,
): Tensor {
  const direction = tf.mul(tf.sign(slope), perImage(tf.neg(tf.sign(value)), point));
  const room = flat(tf.maximum(tf.where(tf.greater(direction, 0), tf.sub(upper, point), tf.sub(point, lower)), 0));
  const gain = flat(tf.abs(slope));
  const each = flat(tf.mul(tf.onesLike(point), reach));
  const wanted = tf.abs(value);
  let t: Tensor = tf.zerosLike(value);
  for (let i = 0; i < NEWTON_STEPS; i++) {
    const moved = tf.mul(each, tf.expandDims(t, 1));
    const reached = tf.sum(tf.mul(gain, tf.minimum(room, moved)), 1);
    const rate = tf.sum(tf.mul(tf.mul(gain, each), tf.cast(tf.greater(room, moved), 'float32')), 1);
    const ahead = tf.div(tf.maximum(tf.sub(wanted, reached), 0), tf.maximum(rate, 1e-20));
    t = tf.minimum(tf.add(t, ahead), FAR);
  }
  const move = tf.reshape(tf.minimum(room, tf.mul(each, tf.expandDims(t, 1))), point.shape);
  return tf.add(point, tf.mul(direction, move));
}

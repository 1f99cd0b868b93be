import { type Model, projection, type Scalar, sizeOf, steepest, type Tensor, tf, valueAndGrad } from '@cert/core';
import type { Attack, AttackSetting } from './attack.js';
import { choose, perImage } from './clamp.js';
import { type AttackLoss, crossEntropyLoss, targetedDlrLoss } from './losses.js';
import { type DeviceAttack, deviceAttacker, forward } from './on-device.js';
import { hostReach } from './perturbed.js';
import { randomStart } from './step.js';
import { targetOf, targetsOf } from './targets.js';

/** Options of Auto-PGD. */
export interface ApgdOptions {
  /** Steps per run; default 100. */
  readonly steps?: number;
  /** Runs from different random points of the ball (per target class, if any); default 1. */
  readonly restarts?: number;
  /** Seed of random starts, which depend only on the seed and the index of the image in the split. Default 0. */
  readonly seed?: number;
}

/** Options of targeted Auto-PGD. */
export interface TargetedApgdOptions extends ApgdOptions {
  /** Number of target classes, the most likely ones except the label; default 9, or all if there are fewer. */
  readonly targets?: number;
}

/** The share of steps that must raise the loss, else the step size is halved. */
const RHO = 0.75;

/** The weight of the gradient step against the last movement. */
const ALPHA = 0.75;

/** Returns Auto-PGD on the cross-entropy (Croce & Hein 2020). */
export const apgdCe = ({ steps = 100, restarts = 1, seed = 0 }: ApgdOptions = {}): Attack => ({
  name: 'apgd-ce',
  runs: () => restarts,
  points: steps + 1,
  on: (setting) =>
    deviceAttacker(setting, autoPgd(setting, { ...{ steps, seed }, name: 'apgd-ce', loss: crossEntropyLoss })),
});

/** Returns Auto-PGD on the targeted DLR loss, one target class at a time (Croce & Hein 2020). */
export const apgdT = ({ steps = 100, restarts = 1, targets = 9, seed = 0 }: TargetedApgdOptions = {}): Attack => {
  const classes = (model: Model) => targetsOf(model, targets);
  return {
    name: 'apgd-t',
    runs: (model) => restarts * classes(model),
    points: steps + 1,
    on: (setting) =>
      deviceAttacker(
        setting,
        autoPgd(setting, {
          ...{ steps, seed, name: 'apgd-t', loss: targetedDlrLoss },
          targets: classes(setting.model),
        }),
      ),
  };
};

interface AutoPgdOptions {
  readonly name: string;
  readonly steps: number;
  readonly seed: number;
  readonly loss: AttackLoss;
  /** Default: none, the loss has no target. */
  readonly targets?: number;
}

/**
 * Algorithm 1 of Croce & Hein (2020), along the sign of the gradient or in a Euclidean set along the gradient itself. The step size begins at 2 epsilon. At checkpoints it is halved, and the search
 * continues from the best point, where too few steps raised the loss or nothing changed since the last checkpoint.
 */
function autoPgd(setting: AttackSetting, { name, steps, seed, loss, targets }: AutoPgdOptions): DeviceAttack {
  const { model, natural, perturbation } = setting;
  const { epsilon: radius } = perturbation;
  const reach = hostReach(perturbation, model.inputShape);
  const size = sizeOf(model.inputShape);
  const windows = checkpointWindows(steps);
  return {
    state: {
      ...{ point: 'image', previous: 'image', best: 'image', direction: 'image' },
      ...{ loss: 'number', bestLoss: 'number', checkLoss: 'number', rises: 'number', halved: 'number', eta: 'number' },
    },
    columns: 3,
    needsLogits: targets !== undefined,
    begin({ pixels, index, label }, run, logits) {
      const start = randomStart(pixels, {
        ...{ epsilon: radius, size, reach, first: index, seed },
        ...{ restart: run, name },
      });
      const target = targets === undefined ? 0 : targetOf(logits, label, run % targets);
      return {
        start,
        control(visit) {
          const window = windows.get(visit);
          return [window === undefined ? 0 : 1, RHO * (window ?? 0), target];
        },
      };
    },
    step({ weights, batch: { images, labels }, start, state, fresh, control, epsilon }) {
      const [check, wanted, target] = tf.unstack(control, 1) as [Tensor, Tensor, Tensor];
      const project = projection(perturbation, images, epsilon);
      const point = choose(fresh, project(start), state.point!);
      const { aux, grads } = valueAndGrad(
        ({ attack }) => {
          const logits = forward(model, weights, attack!.point!, natural);
          const losses = loss(logits, labels, target);
          return { value: tf.sum(losses) as Scalar, aux: { logits, losses } };
        },
        { attack: { point } },
      );
      const uphill = steepest(perturbation, grads.attack!.point!);
      const now = aux.losses;
      const either = (a: Tensor, b: Tensor) => tf.maximum(a, b);
      const is = (condition: Tensor) => tf.cast(condition, 'float32');

      const rises = tf.where(
        positive(fresh),
        tf.zerosLike(fresh),
        tf.add(state.rises!, is(tf.greater(now, state.loss!))),
      );
      const better = either(fresh, is(tf.greater(now, state.bestLoss!)));
      const best = choose(better, point, state.best!);
      const direction = choose(better, uphill, state.direction!);
      const bestLoss = tf.where(positive(better), now, state.bestLoss!);
      const halvedBefore = tf.where(positive(fresh), tf.zerosLike(fresh), state.halved!);
      const checkLoss = tf.where(positive(fresh), now, state.checkLoss!);
      const stuck = tf.mul(tf.sub(1, halvedBefore), is(tf.equal(bestLoss, checkLoss)));
      const halve = tf.mul(check, either(is(tf.less(rises, wanted)), stuck));
      const eta = tf.mul(
        tf.where(positive(fresh), tf.mul(tf.onesLike(fresh), tf.mul(epsilon, 2)), state.eta!),
        tf.sub(1, tf.mul(halve, 0.5)),
      );

      const from = choose(halve, best, point);
      const ahead = tf.mul(choose(halve, direction, uphill), perImage(eta, point));
      const stepped = project(tf.add(from, ahead));
      // The first step has no movement before it, and is taken in full.
      const alpha = perImage(tf.add(tf.mul(fresh, 1 - ALPHA), ALPHA), point);
      const movement = tf.sub(from, choose(fresh, from, state.previous!));
      const moved = tf.add(tf.mul(tf.sub(stepped, from), alpha), tf.mul(movement, tf.sub(1, alpha)));
      return {
        ...{ visited: point, logits: aux.logits },
        state: {
          ...{ point: project(tf.add(from, moved)), previous: from, best, direction },
          ...{ loss: now, bestLoss, eta },
          checkLoss: tf.where(positive(check), bestLoss, checkLoss),
          rises: tf.mul(rises, tf.sub(1, check)),
          halved: tf.where(positive(check), halve, halvedBefore),
        },
      };
    },
  };
}

const positive = (x: Tensor): Tensor => tf.greater(x, 0);

/**
 * The steps at which the step size is checked, and how many steps each looks back on: w_j = ceil(p_j steps), p_0 = 0, p_1 = 0.22,
 * p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06).
 */
export function checkpointWindows(steps: number): ReadonlyMap<number, number> {
  const windows = new Map<number, number>();
  let [before, share, last] = [0, 0.22, 0];
  while (share < 1) {
    const checkpoint = Math.ceil(share * steps - 1e-9);
    if (checkpoint > last) windows.set(checkpoint, checkpoint - last);
    last = checkpoint;
    [before, share] = [share, share + Math.max(share - before - 0.03, 0.06)];
  }
  return windows;
}

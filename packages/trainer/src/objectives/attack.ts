import { perturbationBox, projection, type Shape, steepest, type Tensor, tf, valueAndGrad } from '@cert/core';
import { crossEntropies } from '../loss.js';
import type { ChoiceContext } from './objective.js';

/** Options of the attack inside a training step. */
export interface AttackOptions {
  /** Steps of projected gradient ascent. */
  readonly steps: number;
  /** Size of a step as a multiple of half the width of the box. */
  readonly stepSize: number;
  /** Number of random starts. */
  readonly restarts: number;
  /** Radius of the attacked set as a multiple of `hyper.epsilon`; default 1. */
  readonly radius?: number;
  /** Number of steps after which steps are 5 times smaller; default: none are. */
  readonly decayAfter?: number;
}

/** Factor on the size of the steps behind `decayAfter`. */
const DECAY = 0.2;

/** Shape of the noise of one image for {@link attack}. */
export const attackNoise = ({ restarts }: AttackOptions, shape: Shape): Shape => [restarts, ...shape];

/**
 * Returns the point of largest cross-entropy, image by image, among all points that projected gradient ascent visits from random starts in
 * the box, [batch, ...inputShape]. The network has the batch statistics of the clean images.
 *
 * A start is x + u (upper - lower) / 2 with u = `noise` in [-1, 1], [batch, restarts, ...inputShape], clipped to the box. A step adds
 * `stepSize` times half the width of the box times the sign of the gradient, and clips. In a Euclidean set, a step follows the normalized
 * gradient. All starts run as one batch.
 */
export function attack(context: ChoiceContext, options: AttackOptions, noise: Tensor = context.noise): Tensor {
  const { images, labels, hyper, perturbation, forward } = context;
  const { restarts, radius = 1 } = options;
  const reach = tf.mul(hyper.epsilon!, radius);
  const [starts, answers] = [repeated(images, restarts), repeated(labels, restarts)];
  const { lower, upper } = perturbationBox(perturbation, starts, reach);
  const half = tf.mul(tf.sub(upper, lower), 0.5);
  const clip = projection(perturbation, starts, reach);
  const euclidean = (gradient: Tensor) => tf.mul(steepest(perturbation, gradient), reach);
  const found = climb(
    clip(tf.add(starts, tf.mul(tf.reshape(noise, [...starts.shape]), half))),
    {
      clip,
      direction: perturbation.kind === 'l2' ? euclidean : (gradient) => tf.mul(tf.sign(gradient), half),
      objective: (points) => crossEntropies(forward(points), answers),
    },
    options,
  );
  return bestOf(found, restarts);
}

/** A set of points, and what to increase on it. */
interface Hill {
  /** Projects points onto the set. */
  clip(points: Tensor): Tensor;
  /** Returns a step of full size from the gradient. */
  direction(gradient: Tensor): Tensor;
  /** Returns what to increase at points [n, ...], [n]. */
  objective(points: Tensor): Tensor;
}

/** Points [n, ...] and their values [n]. */
interface Found {
  readonly points: Tensor;
  readonly values: Tensor;
}

/** The best point that each start visits, steps and start included. */
export function climb(start: Tensor, { clip, direction, objective }: Hill, options: AttackOptions): Found {
  const { steps, stepSize, decayAfter = Number.POSITIVE_INFINITY } = options;
  let points = start;
  let best: Found | undefined;
  const visit = (values: Tensor) => {
    best = best === undefined ? { points, values } : better({ points, values }, best);
  };
  for (let step = 0; step < steps; step++) {
    const { aux, grads } = valueAndGrad(
      ({ attack }) => {
        const values = objective(attack!.points!);
        return { value: tf.sum(values), aux: { values } };
      },
      { attack: { points } },
    );
    visit(aux.values);
    const size = stepSize * (step < decayAfter ? 1 : DECAY);
    points = clip(tf.add(points, tf.mul(direction(grads.attack!.points!), size)));
  }
  visit(objective(points));
  return best!;
}

/** Of each group of `count` points, one after another, the one with the largest value. */
export function bestOf({ points, values }: Found, count: number): Tensor {
  const groups = points.shape[0]! / count;
  const grouped = tf.reshape(points, [groups, count, ...points.shape.slice(1)]);
  const ranked = tf.reshape(values, [groups, count]);
  const member = (i: number): Found => ({
    points: tf.squeeze(tf.slice(grouped, [0, i], [groups, 1]), [1]),
    values: tf.squeeze(tf.slice(ranked, [0, i], [groups, 1]), [1]),
  });
  const others = Array.from({ length: count - 1 }, (_, i) => member(i + 1));
  return others.reduce<Found>((best, next) => better(next, best), member(0)).points;
}

/** Point by point, the first where its value is larger, else the second. */
function better(a: Found, b: Found): Found {
  const larger = tf.greater(a.values, b.values);
  const broadcast = tf.reshape(larger, [a.points.shape[0]!, ...a.points.shape.slice(1).map(() => 1)]);
  return { points: tf.where(broadcast, a.points, b.points), values: tf.where(larger, a.values, b.values) };
}

/** [n, ...] to [n * times, ...], the copies of an example one after another. */
export function repeated(x: Tensor, times: number): Tensor {
  const [n = 0, ...shape] = x.shape;
  if (times === 1) return x;
  const ones = shape.map(() => 1);
  return tf.reshape(tf.tile(tf.expandDims(x, 1), [1, times, ...ones]), [n * times, ...shape]);
}

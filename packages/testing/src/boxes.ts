import {
  fromBounds,
  type Interval,
  type IntervalTensor,
  type LinfPerturbation,
  linf,
  linfBall,
  perturbationBox,
  type Rng,
  type Shape,
  sizeOf,
  type Tensor,
  tf,
} from '@cert/core';

/** A box of inputs and how it was made, for messages. */
export interface NamedBox {
  readonly name: string;
  readonly box: IntervalTensor;
}

/**
 * The boxes around a batch of images: two clipped balls, a box of uneven widths, some of them zero, with lower and upper alone, and a box of
 * a perturbation set with immutable and one-sided features, in which one image has no width at all.
 */
export function drawBoxes(images: Tensor, rng: Rng): NamedBox[] {
  return [
    { name: 'epsilon 0.02', box: linfBall(images, 0.02) },
    { name: 'epsilon 0.3', box: linfBall(images, 0.3) },
    { name: 'an uneven box', box: unevenBox(images.shape, rng) },
    { name: 'immutable and one-sided features', box: partialBox(images) },
  ];
}

/** Lower bounds around 0 and widths from 0 to 2, a quarter of them exactly 0. Carries no center or radius. */
function unevenBox(shape: Shape, rng: Rng): IntervalTensor {
  const lower = Float32Array.from({ length: sizeOf(shape) }, () => 2 * rng.normal());
  const upper = lower.map((l) => l + (rng.uniform() < 0.25 ? 0 : 2 * rng.uniform()));
  return fromBounds(tf.tensor(lower, [...shape]), tf.tensor(upper, [...shape]));
}

/** The box of {@link partialSet} with radius 0.3, and for the last image of several the image alone. */
const partialBox = (images: Tensor): Interval =>
  tf.tidy(() => {
    const [count = 0, ...shape] = images.shape;
    const box = perturbationBox(partialSet(shape), images, tf.scalar(0.3));
    const moves = Array.from({ length: count }, (_, i) => (i > 0 && i === count - 1 ? 0 : 1));
    const mask = tf.reshape(tf.tensor1d(moves), [count, ...shape.map(() => 1)]);
    const kept = (x: Tensor) => tf.add(images, tf.mul(tf.sub(x, images), mask));
    const radius = tf.mul(box.radius, mask);
    return { lower: kept(box.lower), upper: kept(box.upper), center: kept(box.center), radius };
  });

/** A set in which features, in turn, move in both directions, not at all, only upwards, and only downwards. */
export function partialSet(shape: Shape): LinfPerturbation {
  const turns = Array.from({ length: sizeOf(shape) }, (_, i) => i % 4);
  return linf({
    epsilon: 0,
    up: turns.map((turn) => (turn === 0 || turn === 2 ? 1 : 0)),
    down: turns.map((turn) => (turn === 0 || turn === 3 ? 1 : 0)),
    range: null,
  });
}

/** The box that is the images alone. */
export const pointBox = (images: Tensor): Interval => linfBall(images, 0, null);

/** Frees a box. */
export const disposeBox = (box: IntervalTensor): void => tf.dispose(box);

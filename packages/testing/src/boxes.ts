import {
  fromBounds,
  type Interval,
  type IntervalTensor,
  linfBall,
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

/** The boxes around a batch of images: two clipped balls, and a box of uneven widths, some of them zero, with lower and upper alone. */
export function drawBoxes(images: Tensor, rng: Rng): NamedBox[] {
  return [
    { name: 'epsilon 0.02', box: linfBall(images, 0.02) },
    { name: 'epsilon 0.3', box: linfBall(images, 0.3) },
    { name: 'an uneven box', box: unevenBox(images.shape, rng) },
  ];
}

/** Lower bounds around 0 and widths from 0 to 2, a quarter of them exactly 0. Carries no center or radius. */
function unevenBox(shape: Shape, rng: Rng): IntervalTensor {
  const lower = Float32Array.from({ length: sizeOf(shape) }, () => 2 * rng.normal());
  const upper = lower.map((l) => l + (rng.uniform() < 0.25 ? 0 : 2 * rng.uniform()));
  return fromBounds(tf.tensor(lower, [...shape]), tf.tensor(upper, [...shape]));
}

/** The box that is the images alone. */
export const pointBox = (images: Tensor): Interval => linfBall(images, 0, null);

/** Frees a box. */
export const disposeBox = (box: IntervalTensor): void => tf.dispose(box);

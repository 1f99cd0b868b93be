import { type LinfPerturbation, perturbationBox, type Shape, type Tensor, tf } from '@cert/core';
import { hostReach } from './perturbed.js';
import { imageShape, randomSign, type Squares, squareSize } from './squares.js';

/** Squares whose pixels move to the ends of the ball, all pixels of a channel to the same end; the start has such stripes. */
export function linfSquares(perturbation: LinfPerturbation, inputShape: Shape): Squares {
  const reach = hostReach(perturbation, inputShape);
  const [rows, columns, channels] = imageShape(inputShape);
  return {
    columns: 4 + channels,
    start(pixels, rng) {
      // A stripe for each column and channel.
      const count = columns === 1 ? pixels.length : columns * channels;
      const stripes = Array.from({ length: count }, () => randomSign(rng));
      return pixels.map((x, i) => x + reach[i]! * perturbation.epsilon * stripes[i % stripes.length]!);
    },
    query(share, rng) {
      const [height, width] = squareSize(share, [rows, columns]);
      const top = rng.int(rows - height + 1);
      const left = rng.int(columns - width + 1);
      return [top, left, height, width, ...Array.from({ length: channels }, () => randomSign(rng))];
    },
    tried({ images, from, queries, epsilon }) {
      const [top, left, height, width, ...signs] = tf.unstack(queries, 1) as [
        ...[Tensor, Tensor, Tensor, Tensor],
        ...Tensor[],
      ];
      const ball = perturbationBox(perturbation, images, epsilon);
      const batch = images.shape[0]!;
      const along = (axis: 1 | 2, length: number, start: Tensor, count: Tensor) => {
        const shape: [number, number, number, number] = [1, 1, 1, 1];
        shape[axis] = length;
        const at = tf.sub(tf.reshape(tf.range(0, length, 1), shape), tf.reshape(start, [batch, 1, 1, 1]));
        const inside = tf.logicalAnd(tf.greaterEqual(at, 0), tf.less(at, tf.reshape(count, [batch, 1, 1, 1])));
        return tf.cast(inside, 'float32');
      };
      const inSquare = tf.mul(along(1, rows, top, height), along(2, columns, left, width));
      const push = tf.mul(inSquare, tf.reshape(tf.stack(signs, 1), [batch, 1, 1, channels]));
      const moved = tf.reshape(push, images.shape);
      return tf.where(tf.greater(moved, 0), ball.upper, tf.where(tf.less(moved, 0), ball.lower, from));
    },
  };
}

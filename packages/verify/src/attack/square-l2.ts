import { type L2Perturbation, type Rng, type Shape, type Tensor, type Tensor2D, tf } from '@cert/core';
import { type Bumps, bumpAt, randomBumps } from './bumps.js';
import { imageShape, randomSign, type Squares, squareSize } from './squares.js';

/** Tiles of the start along each side of the image. */
const TILES = 5;

/** The shortest side of a window in an image, where the image has it. */
const LEAST_SIDE = 3;

/** In one column, the shortest windows are of one number, which can change its sign, or of two, at random. */
const LEAST_PARTS = 2;

/**
 * Windows in which the perturbation takes the shape of two opposite bumps, with the Euclidean length that it takes from another window and
 * that the ball leaves unused (Andriushchenko et al. 2020, section 3.4 and algorithm 3). The start is a grid of bumps.
 */
export function l2Squares({ epsilon: radius }: L2Perturbation, inputShape: Shape): Squares {
  const image = imageShape(inputShape);
  const [rows, columns, channels] = image;
  const signs = (rng: Rng) => Array.from({ length: channels }, () => randomSign(rng));
  /** A window somewhere in the image, 0 outside. */
  const place = ({ down, across }: Bumps, rng: Rng) => [
    padded(down, rng.int(rows - down.length + 1), rows),
    padded(across, rng.int(columns - across.length + 1), columns),
  ];
  return {
    // The bumps down and across the image, the other window down and across the image, and signs.
    columns: 2 * (rows + columns) + channels,
    start(pixels, rng) {
      const offset = new Float64Array(pixels.length);
      for (const [top, bottom] of tiles(rows)) {
        for (const [left, right] of tiles(columns)) {
          const { down, across } = randomBumps([bottom - top, right - left], rng);
          const turned = signs(rng);
          down.forEach((a, r) => {
            across.forEach((b, c) => {
              const at = ((top + r) * columns + left + c) * channels;
              turned.forEach((sign, channel) => {
                offset[at + channel] = sign * bumpAt(a, b);
              });
            });
          });
        }
      }
      const length = Math.sqrt(offset.reduce((sum, x) => sum + x * x, 0));
      return pixels.map((x, i) => x + (radius * offset[i]!) / length);
    },
    query(share, rng) {
      const [height, width] = squareSize(share, image, columns === 1 ? 1 + rng.int(LEAST_PARTS) : LEAST_SIDE);
      const bumps = place(randomBumps([height, width], rng), rng);
      const ones = { down: Array<number>(height).fill(1), across: Array<number>(width).fill(1) };
      return [...bumps, ...place(ones, rng), signs(rng)].flat();
    },
    tried({ images, from, queries, epsilon }) {
      const batch = images.shape[0]!;
      let taken = 0;
      const next = (count: number, shape: [number, number, number]) => {
        const part = tf.slice(queries as Tensor2D, [0, taken], [batch, count]);
        taken += count;
        return tf.reshape(part, [batch, ...shape]);
      };
      const down = next(rows, [rows, 1, 1]);
      const across = next(columns, [1, columns, 1]);
      const other = tf.mul(next(rows, [rows, 1, 1]), next(columns, [1, columns, 1]));
      const turned = next(channels, [1, 1, channels]);
      const bumps = tf.mul(tf.mul(tf.sign(down), tf.sign(across)), tf.minimum(tf.abs(down), tf.abs(across)));
      const window = tf.abs(tf.sign(bumps));
      const both = tf.maximum(window, other);

      const offset = tf.reshape(tf.sub(from, images), [batch, ...image]);
      const unused = tf.maximum(tf.sub(tf.square(epsilon), tf.sum(tf.square(offset), [1, 2, 3], true)), 0);
      const inBoth = tf.sum(tf.square(tf.mul(offset, both)), [1, 2], true);
      const available = tf.sqrt(tf.add(inBoth, tf.div(unused, channels)));
      const push = tf.mul(turned, unit(bumps));
      const mixed = tf.add(push, unit(tf.mul(offset, window)));
      // Where the two cancel, in windows of few pixels, the bumps alone.
      const cancelled = tf.cast(tf.less(lengthOf(mixed), 1e-3), 'float32');
      const shape = unit(tf.add(mixed, tf.mul(push, cancelled)));
      const moved = tf.add(tf.mul(offset, tf.sub(1, both)), tf.mul(shape, available));
      return tf.add(images, tf.reshape(moved, images.shape));
    },
  };
}

/** Euclidean length of each channel of a batch of images, [batch, 1, 1, channels]. */
const lengthOf = (x: Tensor) => tf.sqrt(tf.sum(tf.square(x), [1, 2], true));

/** Scaled to length 1, channel by channel; 0 stays 0. */
const unit = (x: Tensor) => tf.div(x, tf.maximum(lengthOf(x), 1e-20));

/** The ends of tiles that cover a side of an image. */
const tiles = (side: number): readonly (readonly [number, number])[] => {
  const count = Math.min(TILES, side);
  return Array.from({ length: count }, (_, i) => [
    Math.floor((i * side) / count),
    Math.floor(((i + 1) * side) / count),
  ]);
};

const padded = (values: readonly number[], before: number, length: number): readonly number[] => [
  ...Array<number>(before).fill(0),
  ...values,
  ...Array<number>(length - before - values.length).fill(0),
];

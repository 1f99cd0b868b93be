import { createRng, mask, perturbationBox, type Shape, sizeOf, type Tensor, tf } from '@cert/core';
import type { Attack, AttackSetting } from './attack.js';
import { choose, clampTo } from './clamp.js';
import { marginLoss } from './losses.js';
import { type DeviceAttack, deviceAttacker, forward } from './on-device.js';
import { boxesOnly, hostReach } from './perturbed.js';

/** Options of the Square attack. */
export interface SquareOptions {
  /** Queries per run; default 5000. */
  readonly queries?: number;
  /** Runs with different random squares; default 1. */
  readonly restarts?: number;
  /** Fraction of the image that the first squares cover (p); default 0.8. */
  readonly share?: number;
  /** Seed of random squares, which depend only on the seed and the index of the image in the split. Default 0. */
  readonly seed?: number;
}

/**
 * Returns the Square attack (Andriushchenko et al. 2020): random squares of one value per channel at the ends of the ball, each kept if it
 * lowers the margin. Uses no gradient. Inputs that are not images of rows, columns and channels are treated as one column.
 */
export const square = ({ queries = 5000, restarts = 1, share = 0.8, seed = 0 }: SquareOptions = {}): Attack => ({
  name: 'square',
  runs: () => restarts,
  // The stripes of the start are a point too.
  points: queries + 1,
  on: (setting) => deviceAttacker(setting, squares(setting, { queries, share, seed })),
});

/** [rows, columns, channels]. */
const imageShape = (shape: Shape): readonly [number, number, number] =>
  shape.length === 3 ? [shape[0]!, shape[1]!, shape[2]!] : [sizeOf(shape), 1, 1];

function squares(
  { model, natural, perturbation: set }: AttackSetting,
  { queries, share, seed }: Required<Pick<SquareOptions, 'queries' | 'share' | 'seed'>>,
): DeviceAttack {
  const perturbation = boxesOnly(set, 'square');
  const reach = hostReach(perturbation, model.inputShape);
  const [rows, columns, channels] = imageShape(model.inputShape);
  return {
    state: { point: 'image', loss: 'number' },
    columns: 4 + channels,
    begin({ pixels, index }, run) {
      const rng = createRng(seed, 'attack', 'square', run, index);
      const sign = () => (rng.uniform() < 0.5 ? -1 : 1);
      // A stripe for each column and channel.
      const stripes = Array.from({ length: columns === 1 ? pixels.length : columns * channels }, sign);
      return {
        start: pixels.map((x, i) => x + reach[i]! * perturbation.epsilon * stripes[i % stripes.length]!),
        control(visit) {
          const [height, width] = squareSize(share * shrinking(visit, queries), [rows, columns]);
          const top = rng.int(rows - height + 1);
          const left = rng.int(columns - width + 1);
          return [top, left, height, width, ...Array.from({ length: channels }, sign)];
        },
      };
    },
    step({ weights, batch: { images, labels }, start, state, fresh, control, epsilon }) {
      const [top, left, height, width, ...signs] = control as [Tensor, Tensor, Tensor, Tensor, ...Tensor[]];
      const ball = perturbationBox(perturbation, images, epsilon);
      const batch = images.shape[0]!;
      const along = (axis: 1 | 2, length: number, from: Tensor, count: Tensor) => {
        const shape: [number, number, number, number] = [1, 1, 1, 1];
        shape[axis] = length;
        const at = tf.sub(tf.reshape(tf.range(0, length, 1), shape), tf.reshape(from, [batch, 1, 1, 1]));
        const inside = tf.logicalAnd(tf.greaterEqual(at, 0), tf.less(at, tf.reshape(count, [batch, 1, 1, 1])));
        return tf.cast(inside, 'float32');
      };
      const inSquare = tf.mul(along(1, rows, top, height), along(2, columns, left, width));
      const push = tf.mul(inSquare, tf.reshape(tf.stack(signs, 1), [batch, 1, 1, channels]));
      const moved = tf.reshape(push, images.shape);
      const from = state.point!;
      const tried = tf.where(tf.greater(moved, 0), ball.upper, tf.where(tf.less(moved, 0), ball.lower, from));
      const point = choose(fresh, clampTo(start, ball), tried);
      const logits = forward(model, weights, point, natural);
      const loss = marginLoss(logits, labels, fresh);
      const better = tf.maximum(
        fresh,
        mask(() => tf.greater(loss, state.loss!)),
      );
      return {
        ...{ visited: point, logits },
        state: { point: choose(better, point, from), loss: tf.where(tf.greater(better, 0), loss, state.loss!) },
      };
    },
  };
}

/** The height and width of a square that covers a share of an image; of one column, the part of it. */
function squareSize(share: number, [rows, columns]: readonly [number, number]): readonly [number, number] {
  const side = Math.max(1, Math.round(Math.sqrt(share * rows * columns)));
  if (columns === 1) return [Math.min(rows, Math.max(1, Math.round(share * rows))), 1];
  return [Math.min(side, rows), Math.min(side, columns)];
}

/** Queries, of 10,000, after which squares cover half of what they covered before. */
const HALVINGS = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000] as const;

/** By what the share of the first squares is multiplied at a query; the schedule is scaled to the number of queries. */
export const shrinking = (query: number, queries: number): number => {
  const at = Math.floor((query / queries) * 10_000);
  return 2 ** -HALVINGS.filter((halving) => at > halving).length;
};

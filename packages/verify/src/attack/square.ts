import { createRng, mask, projection, tf } from '@cert/core';
import type { Attack, AttackSetting } from './attack.js';
import { choose } from './clamp.js';
import { marginLoss } from './losses.js';
import { type DeviceAttack, deviceAttacker, forward } from './on-device.js';
import { l2Squares } from './square-l2.js';
import { linfSquares } from './square-linf.js';

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
 * Returns the Square attack (Andriushchenko et al. 2020): random squares, each kept if it lowers the margin. In l-infinity sets, a square has
 * one value per channel, at an end of the ball; in Euclidean sets, two opposite bumps, with the length that another square loses. Uses no
 * gradient. Inputs that are not images of rows, columns and channels are treated as one column.
 */
export const square = ({ queries = 5000, restarts = 1, share = 0.8, seed = 0 }: SquareOptions = {}): Attack => ({
  name: 'square',
  runs: () => restarts,
  // The start is a point too.
  points: queries + 1,
  on: (setting) => deviceAttacker(setting, squares(setting, { queries, share, seed })),
});

function squares(
  { model, natural, perturbation }: AttackSetting,
  { queries, share, seed }: Required<Pick<SquareOptions, 'queries' | 'share' | 'seed'>>,
): DeviceAttack {
  const { inputShape } = model;
  const ofNorm =
    perturbation.kind === 'l2' ? l2Squares(perturbation, inputShape) : linfSquares(perturbation, inputShape);
  return {
    state: { point: 'image', loss: 'number' },
    columns: ofNorm.columns,
    begin({ pixels, index }, run) {
      const rng = createRng(seed, 'attack', 'square', run, index);
      return {
        start: ofNorm.start(pixels, rng),
        control: (visit) => ofNorm.query(share * shrinking(visit, queries), rng),
      };
    },
    step({ weights, batch: { images, labels }, start, state, fresh, control, epsilon }) {
      const from = state.point!;
      const tried = ofNorm.tried({ images, from, queries: control, epsilon });
      const point = projection(perturbation, images, epsilon)(choose(fresh, start, tried));
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

/** Queries, of 10,000, after which squares cover half of what they covered before. */
const HALVINGS = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000] as const;

/** By what the share of the first squares is multiplied at a query; the schedule is scaled to the number of queries. */
export const shrinking = (query: number, queries: number): number => {
  const at = Math.floor((query / queries) * 10_000);
  return 2 ** -HALVINGS.filter((halving) => at > halving).length;
};

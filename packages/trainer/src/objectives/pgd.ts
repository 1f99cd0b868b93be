import { linfBall, type Tensor, tf, valueAndGrad } from '@cert/core';
import { crossEntropy } from '../loss.js';
import { naturalObjective } from './natural.js';
import type { UnboundedObjective } from './objective.js';

/** Options of {@link pgdObjective}. */
export interface PgdOptions {
  /** Steps of the attack; default 7. */
  readonly steps?: number;
  /** Their size in radii of the ball; default 2.5 / steps, with which an attack can cross the ball 1.25 times. */
  readonly stepSize?: number;
}

/**
 * Adversarial training (Madry et al. 2018): the cross-entropy at points of the clipped ball that a projected gradient attack found
 * from a random start. The attack sees batch normalizations as training does, with the statistics of its own points, and the
 * running statistics are those of the points trained on, whose loss they belong to. Named `pgd`.
 */
export function pgdObjective({ steps = 7, stepSize = 2.5 / steps }: PgdOptions = {}): UnboundedObjective {
  return {
    ...naturalObjective,
    name: 'pgd',
    choose({ params, images, labels, noise, hyper, range, pass }) {
      const radius = hyper.epsilon!;
      const { lower, upper } = linfBall(images, radius, range);
      const project = (x: Tensor) => tf.minimum(tf.maximum(x, lower), upper);
      const ascend = (point: Tensor) => {
        const { grads } = valueAndGrad(
          ({ attack }) => ({
            value: crossEntropy(pass(params, attack!.point!).output, labels),
            aux: {},
          }),
          { attack: { point } },
        );
        return project(tf.add(point, tf.mul(tf.sign(grads.attack!.point!), tf.mul(radius, stepSize))));
      };
      const start = project(tf.add(images, tf.mul(noise, radius)));
      return { points: Array.from({ length: steps }).reduce<Tensor>(ascend, start) };
    },
  };
}

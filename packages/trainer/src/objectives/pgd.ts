import { projection, steepest, type Tensor, tf, valueAndGrad } from '@cert/core';
import { crossEntropy } from '../loss.js';
import { naturalObjective } from './natural.js';
import type { UnboundedObjective } from './objective.js';

/** Options of {@link pgdObjective}. */
export interface PgdOptions {
  /** Steps of the attack; default 7. */
  readonly steps?: number;
  /** Step size as a multiple of the radius; default 2.5 / steps, which lets an attack cross the ball 1.25 times. */
  readonly stepSize?: number;
}

/**
 * Adversarial training (Madry et al. 2018): the cross-entropy at points of the perturbation set that a projected gradient attack finds from a
 * random start. The attack uses the batch statistics of its points, as in training; the running statistics come from the adversarial
 * points. Named `pgd`.
 */
export function pgdObjective({ steps = 7, stepSize = 2.5 / steps }: PgdOptions = {}): UnboundedObjective {
  return {
    ...naturalObjective,
    name: 'pgd',
    choose({ params, images, labels, noise, hyper, perturbation, pass }) {
      const radius = hyper.epsilon!;
      const project = projection(perturbation, images, radius);
      const ascend = (point: Tensor) => {
        const { grads } = valueAndGrad(
          ({ attack }) => ({
            value: crossEntropy(pass(params, attack!.point!).output, labels),
            aux: {},
          }),
          { attack: { point } },
        );
        return project(tf.add(point, tf.mul(steepest(perturbation, grads.attack!.point!), tf.mul(radius, stepSize))));
      };
      const start = project(tf.add(images, tf.mul(noise, radius)));
      return { points: Array.from({ length: steps }).reduce<Tensor>(ascend, start) };
    },
  };
}

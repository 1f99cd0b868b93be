import { tf, zipParams } from '@cert/core';
import { withL2 } from './kernels.js';
import { type MomentOptions, nextMoments } from './moments.js';
import { type Optimizer, zerosLike } from './optimizer.js';

/** Options of {@link radam}, with their defaults. */
export interface RadamOptions extends MomentOptions {}

/** Up to this length of the moving average its variance is not tractable. */
const TRACTABLE = 5;

/**
 * Returns rectified Adam (Liu et al. 2020, algorithm 2) as PyTorch implements it. In the first steps (5 with the default `beta2`) the second
 * moment rests on too few gradients, and the step is the first moment alone. Later the adaptive step is multiplied by the rectification, which
 * grows to 1. Both depend on the step number only and enter as scalars.
 */
export function radam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, l2 = 0 }: RadamOptions = {}): Optimizer {
  const longest = 2 / (1 - beta2) - 1;
  return {
    name: 'radam',
    init: (params) => ({ mean: zerosLike(params), square: zerosLike(params) }),
    hyper(step) {
      const t = step + 1;
      const correction = 1 - beta2 ** t;
      const length = longest - (2 * t * beta2 ** t) / correction;
      const rectified = length > TRACTABLE;
      const rectification = Math.sqrt(
        ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length),
      );
      return {
        meanCorrection: 1 / (1 - beta1 ** t),
        adaptive: rectified ? rectification * Math.sqrt(correction) : 0,
        plain: rectified ? 0 : 1,
      };
    },
    update(params, grads, state, hyper) {
      const { mean, square } = nextMoments(withL2(grads, params, l2), state, { beta1, beta2 });
      const rate = tf.mul(hyper.learningRate!, hyper.meanCorrection!);
      const moved = zipParams(
        (m, v) => tf.mul(tf.mul(m, tf.add(tf.div(hyper.adaptive!, tf.add(tf.sqrt(v), epsilon)), hyper.plain!)), rate),
        mean,
        square,
      );
      return { params: zipParams(tf.sub, params, moved), state: { mean, square } };
    },
  };
}

import { tf, zipParams } from '@cert/core';
import { withL2 } from './kernels.js';
import { type MomentOptions, nextMoments } from './moments.js';
import { type Optimizer, zerosLike } from './optimizer.js';

/** Options of {@link adam}, with their defaults. */
export interface AdamOptions extends MomentOptions {}

/** Returns Adam (Kingma and Ba 2015, algorithm 1) with bias correction. */
export function adam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, l2 = 0 }: AdamOptions = {}): Optimizer {
  return {
    name: 'adam',
    init: (params) => ({ mean: zerosLike(params), square: zerosLike(params) }),
    hyper: (step) => ({
      meanCorrection: 1 / (1 - beta1 ** (step + 1)),
      rootCorrection: 1 / Math.sqrt(1 - beta2 ** (step + 1)),
    }),
    update(params, grads, state, hyper) {
      const { mean, square } = nextMoments(withL2(grads, params, l2), state, { beta1, beta2 });
      // m rate / (sqrt(v) c + epsilon) with the scalars where a pass over the parameters is saved.
      const floor = tf.div(epsilon, hyper.rootCorrection!);
      const rate = tf.div(tf.mul(hyper.learningRate!, hyper.meanCorrection!), hyper.rootCorrection!);
      const moved = zipParams((m, v) => tf.mul(tf.div(m, tf.add(tf.sqrt(v), floor)), rate), mean, square);
      return { params: zipParams(tf.sub, params, moved), state: { mean, square } };
    },
  };
}

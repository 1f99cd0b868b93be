import { tf, zipParams } from '@cert/core';
import { type Optimizer, zerosLike } from './optimizer.js';

/** Options of {@link adam}, with their defaults. */
export interface AdamOptions {
  /** Decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment; default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the corrected second moment; default 1e-8. */
  readonly epsilon?: number;
}

/** Returns Adam (Kingma and Ba 2015, algorithm 1) with bias correction. */
export function adam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions = {}): Optimizer {
  return {
    name: 'adam',
    init: (params) => ({ mean: zerosLike(params), square: zerosLike(params) }),
    hyper: (step) => ({
      meanCorrection: 1 / (1 - beta1 ** (step + 1)),
      rootCorrection: 1 / Math.sqrt(1 - beta2 ** (step + 1)),
    }),
    update(params, grads, state, hyper) {
      const mean = zipParams((m, g) => tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1)), state.mean!, grads);
      const square = zipParams(
        (v, g) => tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2)),
        state.square!,
        grads,
      );
      // m rate / (sqrt(v) c + epsilon) with the scalars where a pass over the parameters is saved.
      const floor = tf.div(epsilon, hyper.rootCorrection!);
      const rate = tf.div(tf.mul(hyper.learningRate!, hyper.meanCorrection!), hyper.rootCorrection!);
      const moved = zipParams((m, v) => tf.mul(tf.div(m, tf.add(tf.sqrt(v), floor)), rate), mean, square);
      return { params: zipParams(tf.sub, params, moved), state: { mean, square } };
    },
  };
}

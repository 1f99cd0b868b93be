import { tf } from '@cert/core';
import { adam } from './adam.js';
import { zipKernels } from './kernels.js';
import type { MomentOptions } from './moments.js';
import type { Optimizer } from './optimizer.js';

/** Options of {@link adamw}, with their defaults. */
export interface AdamwOptions extends Omit<MomentOptions, 'l2'> {
  /** Each step takes this factor times the learning rate of every kernel away from it; default 0.01. */
  readonly weightDecay?: number;
}

/**
 * Returns Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2): p' = p - rate * weightDecay * p - the step of Adam, whose
 * moments do not see the decay. Only kernels decay, not biases and BatchNorm.
 */
export function adamw({ weightDecay = 0.01, ...options }: AdamwOptions = {}): Optimizer {
  const inner = adam(options);
  return {
    ...inner,
    name: 'adamw',
    update(params, grads, state, hyper) {
      const { params: moved, state: next } = inner.update(params, grads, state, hyper);
      const share = tf.mul(hyper.learningRate!, weightDecay);
      return { params: zipKernels((m, p) => tf.sub(m, tf.mul(p, share)), moved, params), state: next };
    },
  };
}

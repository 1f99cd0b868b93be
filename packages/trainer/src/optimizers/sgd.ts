import { type Hyper, type Params, tf, zipParams } from '@cert/core';
import { type Optimizer, zerosLike } from './optimizer.js';

/**
 * Returns stochastic gradient descent with heavy-ball momentum: v' = momentum * v + g, p' = p - rate * v'.
 *
 * @param options.momentum from 0 to 1; default 0, without state
 */
export function sgd({ momentum = 0 }: { readonly momentum?: number } = {}): Optimizer {
  const apply = (params: Params, direction: Params, hyper: Hyper) =>
    zipParams((p, d) => tf.sub(p, tf.mul(d, hyper.learningRate!)), params, direction);
  return {
    name: 'sgd',
    init: (params) => (momentum === 0 ? {} : { velocity: zerosLike(params) }),
    hyper: () => ({}),
    update(params, grads, state, hyper) {
      if (momentum === 0) return { params: apply(params, grads, hyper), state };
      const velocity = zipParams((v, g) => tf.add(tf.mul(v, momentum), g), state.velocity!, grads);
      return { params: apply(params, velocity, hyper), state: { velocity } };
    },
  };
}

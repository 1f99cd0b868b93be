import { type Hyper, type Params, tf, zipParams } from '@cert/core';
import { withL2 } from './kernels.js';
import { type Optimizer, zerosLike } from './optimizer.js';

/** Options of {@link sgd}, with their defaults. */
export interface SgdOptions {
  /** From 0 to 1; default 0, without state. */
  readonly momentum?: number;
  /** L2 penalty: this factor times the kernels is added to their gradients (biases and BatchNorm excepted); default 0. */
  readonly l2?: number;
}

/** Returns stochastic gradient descent with heavy-ball momentum: v' = momentum * v + g, p' = p - rate * v'. */
export function sgd({ momentum = 0, l2 = 0 }: SgdOptions = {}): Optimizer {
  const apply = (params: Params, direction: Params, hyper: Hyper) =>
    zipParams((p, d) => tf.sub(p, tf.mul(d, hyper.learningRate!)), params, direction);
  return {
    name: 'sgd',
    init: (params) => (momentum === 0 ? {} : { velocity: zerosLike(params) }),
    hyper: () => ({}),
    update(params, grads, state, hyper) {
      const slopes = withL2(grads, params, l2);
      if (momentum === 0) return { params: apply(params, slopes, hyper), state };
      const velocity = zipParams((v, g) => tf.add(tf.mul(v, momentum), g), state.velocity!, slopes);
      return { params: apply(params, velocity, hyper), state: { velocity } };
    },
  };
}

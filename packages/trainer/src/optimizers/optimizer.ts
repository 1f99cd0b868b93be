import {
  filledTensor,
  type HostParams,
  type HostTensor,
  type Hyper,
  isHostTensor,
  mapParams,
  mapTree,
  type Params,
  type Scalar,
  type Tree,
  tf,
  zipParams,
} from '@cert/core';

/** What an optimizer remembers between steps: named trees of the form of the parameters. */
export type OptimizerState = { readonly [slot: string]: Params };

/** An optimizer as a pair of pure functions, and the numbers that the second one needs at each step. */
export interface Optimizer {
  /** The name that errors give it. */
  readonly name: string;
  /** The state before the first step, on the host. */
  init(params: HostParams): { readonly [slot: string]: HostParams };
  /**
   * The numbers besides the learning rate that `update` reads from its `hyper`, computed on the host.
   * @param step the global step, from 0
   */
  hyper(step: number): { readonly [name: string]: number };
  /** One step. Reads no value; `hyper` holds `learningRate` and what {@link Optimizer.hyper} names. */
  update(params: Params, grads: Params, state: OptimizerState, hyper: Hyper): Updated;
}

/** What an update returns. */
export interface Updated {
  /** The parameters after the step. */
  readonly params: Params;
  /** What to hand to the next one. */
  readonly state: OptimizerState;
}

/** Options of {@link adam}, with their defaults. */
export interface AdamOptions {
  /** Decay of the mean of the gradients: 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of their squares: 0.999. */
  readonly beta2?: number;
  /** Added to the root of the corrected second moment: 1e-8. */
  readonly epsilon?: number;
}

/** Adam (Kingma and Ba 2015, algorithm 1), bias corrections included. */
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

/**
 * Stochastic gradient descent with heavy-ball momentum: v' = momentum * v + g, p' = p - rate * v'.
 *
 * @param options.momentum from 0 to 1; default 0, which keeps no state
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

/** Gradients after clipping and their norm before it. */
export interface Clipped {
  /** The gradients, scaled. */
  readonly grads: Params;
  /** Their global norm before it. */
  readonly norm: Scalar;
}

/**
 * Scales all gradients by min(1, limit / (norm + 1e-6)), norm being the Euclidean norm over every number of every tensor.
 *
 * @param limit the largest norm that passes unscaled, > 0
 */
export function clipByGlobalNorm(grads: Params, limit: number): Clipped {
  const norm = globalNorm(grads);
  const factor = tf.minimum(tf.div(limit, tf.add(norm, 1e-6)), 1);
  return { grads: mapParams((g) => tf.mul(g, factor), grads), norm };
}

/** The Euclidean norm over every number of every tensor; at least one tensor. */
export function globalNorm(grads: Params): Scalar {
  const squares = Object.values(grads).flatMap((node) => Object.values(node).map((g) => tf.sum(tf.square(g))));
  return tf.sqrt(squares.reduce((a, b) => tf.add(a, b))) as Scalar;
}

const zerosLike = (params: HostParams): HostParams =>
  mapTree(({ shape }) => filledTensor(shape, 0), params as Tree<HostTensor>, isHostTensor) as HostParams;

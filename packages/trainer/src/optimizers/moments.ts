import { type Params, tf, zipParams } from '@cert/core';
import type { OptimizerState } from './optimizer.js';

/** Decay of the two moments of Adam and its variants. */
export interface MomentOptions {
  /** Decay of the first moment, from 0 to below 1; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment, from 0 to below 1; default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment, > 0; default 1e-8. */
  readonly epsilon?: number;
  /** L2 penalty: this factor times the kernels is added to their gradients (biases and BatchNorm excepted); default 0. */
  readonly l2?: number;
}

/** The moments after a step: decaying means of the gradients and of their squares, without bias correction. */
export function nextMoments(
  grads: Params,
  state: OptimizerState,
  { beta1, beta2 }: Required<Pick<MomentOptions, 'beta1' | 'beta2'>>,
): { readonly mean: Params; readonly square: Params } {
  const mean = zipParams((m, g) => tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1)), state.mean!, grads);
  const square = zipParams((v, g) => tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2)), state.square!, grads);
  return { mean, square };
}

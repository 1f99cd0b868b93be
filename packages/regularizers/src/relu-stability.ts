import { type Regularizer, reluInputs, type Scalar, tf } from '@cert/core';

/**
 * Returns the ReLU stability regularizer of Xiao, Tjeng, Shafiullah and Madry (2019), "Training for Faster Adversarial Robustness
 * Verification via Inducing ReLU Stability": -tanh(1 + lower * upper), which falls as a neuron leaves the region
 * where its ReLU is unstable (lower < 0 < upper). Summed over the neurons of every ReLU input, averaged over the batch.
 *
 * 1 is added to the term of each neuron: a constant without gradient, so that a stable neuron contributes almost 0, the term is never
 * negative, and small differences are not lost in a large float32 sum. 0 for a model without ReLU. Named `relu-stability`.
 */
export function reluStability(): Regularizer {
  return {
    name: 'relu-stability',
    actsOn: ['relu'],
    term: ({ model, bounds }) =>
      reluInputs(model).reduce<Scalar>((total, node) => {
        const { lower, upper } = bounds.at[node]!;
        const unstable = tf.sub(1, tf.tanh(tf.add(1, tf.mul(lower, upper))));
        return tf.add(total, tf.div(tf.sum(unstable), lower.shape[0]!));
      }, tf.scalar(0)),
  };
}

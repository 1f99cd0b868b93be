import { type Regularizer, reluInputs, type Scalar, tf } from '@cert/core';

/**
 * Returns the volume regularizer of Balunovic and Vechev (2020), "Adversarial Training and Provable Defenses: Bridging the Gap":
 * relu(-lower) * relu(upper), twice the area of the triangle relaxation of an unstable ReLU, and 0 for a stable ReLU. The mean over batch
 * and neurons of each ReLU input, summed over them. 0 for a model without ReLU. Named `volume`.
 */
export function volume(): Regularizer {
  return {
    name: 'volume',
    actsOn: ['relu'],
    term: ({ model, bounds }) =>
      reluInputs(model).reduce<Scalar>((total, node) => {
        const { lower, upper } = bounds.at[node]!;
        return tf.add(total, tf.mean(tf.mul(tf.relu(tf.neg(lower)), tf.relu(upper))));
      }, tf.scalar(0)),
  };
}

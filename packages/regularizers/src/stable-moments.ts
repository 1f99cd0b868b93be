import { type Tensor, tf, withGradient } from '@cert/core';

/** Above this a float32 counts as infinite. */
const huge = 3e38;

/** How the centers of the stable neurons lie: vectors [layers]. */
export interface StableMoments {
  /** Sum of the active centers over the number of all neurons. */
  readonly activeMean: Tensor;
  readonly inactiveMean: Tensor;
  /** Sum of (center - mean of all centers)^2 over the active neurons. */
  readonly activeSpread: Tensor;
  readonly inactiveSpread: Tensor;
}

/** The columns of [layers, 4], the moments of {@link stableMoments} of each layer. */
export function momentsOf(rows: Tensor): StableMoments {
  const [activeMean, inactiveMean, activeSpread, inactiveSpread] = tf.unstack(rows, 1) as Four;
  return { activeMean, inactiveMean, activeSpread, inactiveSpread };
}

type Four = [Tensor, Tensor, Tensor, Tensor];

/**
 * The moments of the active and of the inactive centers of a layer, [activeMean, inactiveMean, activeSpread, inactiveSpread]. The gradient is written out, because reverse mode would go over the layer
 * twice as often: with d = center - mean,
 * activeMean has the gradient active / n, and activeSpread 2 (d active - sum(d active) / n).
 * It is 0 where a center is NaN or infinite: leaving a value out of a sum does not keep its NaN from the gradient.
 *
 * @param active 0 or 1 for each neuron, a constant to differentiation; `inactive` likewise
 */
export function stableMoments(center: Tensor, active: Tensor, inactive: Tensor): Tensor {
  return withGradient((x: Tensor) => {
    const mean = tf.mean(x);
    const deviation = tf.sub(x, mean);
    const [ofActive, ofInactive] = [tf.mul(deviation, active), tf.mul(deviation, inactive)];
    const [activeSum, inactiveSum] = [tf.sum(ofActive), tf.sum(ofInactive)];
    /** The sum of the centers over n, from that of their deviations. */
    const meanOf = (sum: Tensor, mask: Tensor) => tf.div(tf.add(sum, tf.mul(mean, tf.sum(mask))), x.size);
    return {
      value: tf.stack([
        meanOf(activeSum, active),
        meanOf(inactiveSum, inactive),
        tf.sum(tf.square(ofActive)),
        tf.sum(tf.square(ofInactive)),
      ]),
      saved: [x, mean, active, inactive, activeSum, inactiveSum],
      gradient: (dy, ...saved) => gradient(dy, saved, x.size),
    };
  })(center);
}

/** What the way back needs. The masked deviations are not among them: as large as the layer, they would be kept until then. */
type Saved = readonly [
  x: Tensor,
  mean: Tensor,
  active: Tensor,
  inactive: Tensor,
  activeSum: Tensor,
  inactiveSum: Tensor,
];

function gradient(dy: Tensor, saved: readonly Tensor[], n: number): Tensor {
  const [x, mean, active, inactive, activeSum, inactiveSum] = saved as Saved;
  const [activeMean, inactiveMean, activeSpread, inactiveSpread] = tf.unstack(dy) as Four;
  const throughMean = tf.add(tf.mul(activeSpread, activeSum), tf.mul(inactiveSpread, inactiveSum));
  /** 2 spread (x - mean) + total / n, as one scale and one shift. */
  const each = (spread: Tensor, total: Tensor) => {
    const scale = tf.mul(spread, 2);
    return tf.add(tf.mul(x, scale), tf.sub(tf.div(total, n), tf.mul(scale, mean)));
  };
  const ofStable = tf.add(
    tf.mul(active, each(activeSpread, activeMean)),
    tf.mul(inactive, each(inactiveSpread, inactiveMean)),
  );
  const sum = tf.add(ofStable, tf.mul(throughMean, -2 / n));
  return tf.where(tf.less(tf.abs(mean), huge), sum, tf.zerosLike(sum));
}

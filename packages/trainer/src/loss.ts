import { advantages, logSumExp, type Scalar, type Tensor, tf } from '@cert/core';

/** The largest float32; anything above is infinite. */
const LARGEST = 3.4028234663852886e38;

/**
 * Returns the mean of losses over the batch, each times the weight of its example.
 *
 * @param losses [batch]
 * @param weights [batch], of mean 1 over the batch; default: all 1
 */
export const weightedMean = (losses: Tensor, weights?: Tensor): Scalar =>
  tf.mean(weights === undefined ? losses : tf.mul(losses, weights)) as Scalar;

/**
 * Returns the robust loss: mean over the batch of log(1 + sum_j exp(-margin_j)), the worst-case cross-entropy (equation 2 of the paper).
 * Numerically stable.
 *
 * @param margins [batch, classes - 1]: lower bounds of logit_y - logit_j for every other class
 * @param weights as in {@link weightedMean}
 */
export function robustLoss(margins: Tensor, weights?: Tensor): Scalar {
  const zeros = tf.zeros([margins.shape[0]!, 1]);
  return weightedMean(logSumExp(tf.concat([zeros, tf.neg(margins)], 1)), weights);
}

/**
 * Returns the cross-entropy, mean over the batch: log(sum_j exp(logit_j - logit_y)).
 *
 * @param logits [batch, classes]
 * @param labels int32 [batch], each in [0, classes)
 * @param weights as in {@link weightedMean}
 */
export const crossEntropy = (logits: Tensor, labels: Tensor, weights?: Tensor): Scalar =>
  weightedMean(crossEntropies(logits, labels), weights);

/** Returns the cross-entropy of each example, [batch]: {@link crossEntropy} is its weighted mean. */
export const crossEntropies = (logits: Tensor, labels: Tensor): Tensor => logSumExp(advantages(logits, labels));

/**
 * Returns the number of misclassified images: another logit is at least the logit of the label, or a value is NaN. A tie counts as an
 * error.
 *
 * @param logits [batch, classes]
 * @param labels int32 [batch]
 * @returns a count as a float32 scalar
 */
export function countErrors(logits: Tensor, labels: Tensor): Scalar {
  const behind = tf.sum(asFloat(tf.less(advantages(logits, labels), 0)), 1);
  return tf.sum(asFloat(tf.less(behind, logits.shape[1]! - 1))) as Scalar;
}

/**
 * Returns the number of images that are not verified. An image is verified if every lower margin is > 0 and finite (at 0, two classes may
 * tie); NaN never counts as verified.
 *
 * @param margins [batch, classes - 1]: lower bounds
 * @returns a count as a float32 scalar
 */
export function countUnverified(margins: Tensor): Scalar {
  const holds = tf.mul(asFloat(tf.greater(margins, 0)), asFloat(tf.lessEqual(margins, LARGEST)));
  return tf.sum(asFloat(tf.less(tf.sum(holds, 1), margins.shape[1]!))) as Scalar;
}

const asFloat = (mask: Tensor): Tensor => tf.cast(mask, 'float32');

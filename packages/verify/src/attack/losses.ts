import { advantages, logSumExp, mask, stopGradient, type Tensor, type Tensor1D, tf } from '@cert/core';

/** What an attack maximizes: of logits [batch, classes], labels int32 [batch] and target classes [batch] a number for each image, [batch]. */
export type AttackLoss = (logits: Tensor, labels: Tensor, targets: Tensor) => Tensor;

/** Far below any logit: takes a class out of a maximum. */
const NEVER = -1e30;

const ownClass = (logits: Tensor, labels: Tensor): Tensor => tf.gather(tf.eye(logits.shape[1]!), labels as Tensor1D);

/**
 * log(sum_{j != y} exp(logit_j - logit_y)). The cross-entropy is log(1 + exp(this)): it grows with this and its gradient has the
 * same sign, but vanishes in float32 for images that are classified with confidence.
 */
export const crossEntropyLoss: AttackLoss = (logits, labels) =>
  logSumExp(tf.add(advantages(logits, labels), tf.mul(ownClass(logits, labels), NEVER)));

/** The largest other logit minus the one of the label: minus the margin. */
export const marginLoss: AttackLoss = (logits, labels) =>
  tf.max(tf.add(advantages(logits, labels), tf.mul(ownClass(logits, labels), NEVER)), 1);

/** The logit of the target minus the one of the label, [batch]. */
export function targetedMargin(logits: Tensor, labels: Tensor, targets: Tensor): Tensor {
  const classes = logits.shape[1]!;
  const target = mask(() => tf.equal(tf.expandDims(targets, 1), tf.expandDims(tf.range(0, classes, 1), 0)));
  return tf.sum(tf.mul(advantages(logits, labels), target), 1);
}

/** Keeps the denominator of the DLR loss above 0 where the largest logits are equal. */
const SMALLEST = 1e-12;

/**
 * The targeted difference of logits ratio of Croce & Hein (2020, equation 8): (z_t - z_y) / (z_1 - (z_3 + z_4) / 2), where z_1 >= z_2 >= ...
 * are the logits in descending order. With fewer than 4 classes there is no such ratio: the difference z_t - z_y itself.
 */
export const targetedDlrLoss: AttackLoss = (logits, labels, targets) => {
  const difference = targetedMargin(logits, labels, targets);
  if (logits.shape[1]! < 4) return difference;
  const [first, , third, fourth] = largest(logits, 4);
  const spread = tf.sub(first!, tf.mul(tf.add(third!, fourth!), 0.5));
  return tf.div(difference, tf.add(spread, SMALLEST));
};

/** The `count` largest of the logits of each image in descending order, [batch] each; equal ones count as often as they occur. */
function largest(logits: Tensor, count: number): readonly Tensor[] {
  const classes = logits.shape[1]!;
  let taken: Tensor = tf.zerosLike(logits);
  return Array.from({ length: count }, () => {
    const before = taken;
    const next = stopGradient(() =>
      tf.gather(tf.eye(classes), tf.argMax(tf.add(logits, tf.mul(before, NEVER)), 1) as Tensor1D),
    );
    taken = tf.add(before, next);
    return tf.sum(tf.mul(logits, next), 1);
  });
}

import {
  type Bounds,
  centerOf,
  type IntervalTensor,
  type Model,
  mask,
  mean,
  type Regularizer,
  reluInputs,
  type Scalar,
  stopGradient,
  type Tensor,
  tf,
} from '@cert/core';
import { momentsOf, type StableMoments, stableMoments } from './stable-moments.js';
import { checkTolerance, type ToleranceOptions } from './tolerance.js';

/** Above this a float32 counts as infinite. */
const huge = 3e38;

/** Balance of the neurons at the input of one ReLU. All scalars; a neuron is one element of [batch, ...shape]. */
export interface LayerBalance {
  /** Number of neurons with lower > 0. */
  readonly activeCount: Scalar;
  /** Number of neurons with upper < 0. */
  readonly inactiveCount: Scalar;
  /** Mean of all centers. */
  readonly centerMean: Scalar;
  /** Sum of the active centers over the number of all neurons. */
  readonly activeMean: Scalar;
  /** Sum of the inactive centers over the number of all neurons. */
  readonly inactiveMean: Scalar;
  /** Sum of (center - centerMean)^2 over the active neurons. */
  readonly activeSpread: Scalar;
  /** Sum of (center - centerMean)^2 over the inactive neurons. */
  readonly inactiveSpread: Scalar;
  /** The smaller of activeMean and -inactiveMean divided by the larger; 1 if the layer is skipped. */
  readonly meanRatio: Scalar;
  /** The smaller spread divided by the larger; 1 if the layer is skipped. */
  readonly spreadRatio: Scalar;
  /** 1 when the layer has no defined ratio (no inactive neuron, no spread, a bound that is NaN or infinite), else 0. */
  readonly skipped: Scalar;
  /** (relu(tolerance - meanRatio) + relu(tolerance - spreadRatio)) / tolerance, in [0, 2]; 0 if skipped. */
  readonly loss: Scalar;
}

/** What {@link reluBalanceReport} returns: a tree of scalars. */
export interface ReluBalanceReport {
  /** One entry for each node that feeds a ReLU, by its name. */
  readonly layers: { readonly [node: string]: LayerBalance };
  /** The mean of the layers' losses, skipped layers included: the value of the regularizer. */
  readonly loss: Scalar;
}

const mapValues = <K extends string, A, B>(record: { readonly [key in K]: A }, f: (value: A) => B) =>
  Object.fromEntries(Object.entries<A>(record).map(([key, value]) => [key, f(value)])) as { [key in K]: B };

/** The ratios of all layers at once, from their moments: each a vector [layers]. */
function ratiosOf({ activeMean, inactiveMean, activeSpread, inactiveSpread }: StableMoments, tolerance: number) {
  const opposite = tf.neg(inactiveMean);
  const spread = tf.add(activeSpread, inactiveSpread);
  // Comparisons with NaN are false. The sums are infinite or NaN as soon as one of their parts is.
  const defined = stopGradient(() => {
    const finite = tf.less(tf.add(tf.add(activeMean, opposite), spread), huge);
    return tf.logicalAnd(tf.logicalAnd(tf.greater(opposite, 0), tf.greater(spread, 0)), finite);
  });
  // The undefined values are replaced before they are divided: a NaN that is only left out afterwards still has a NaN gradient.
  const ratio = (a: Tensor, b: Tensor): Tensor => {
    const [x, y] = [a, b].map((value) => tf.where(defined, value, tf.onesLike(value))) as [Tensor, Tensor];
    return tf.div(tf.minimum(x, y), tf.maximum(x, y));
  };
  const meanRatio = ratio(activeMean, opposite);
  const spreadRatio = ratio(activeSpread, inactiveSpread);
  const shortfall = tf.add(tf.relu(tf.sub(tolerance, meanRatio)), tf.relu(tf.sub(tolerance, spreadRatio)));
  const counted = stopGradient(() => tf.cast(defined, 'float32'));
  return {
    meanRatio,
    spreadRatio,
    skipped: stopGradient(() => tf.sub(1, counted)),
    // A tolerance above 1 penalises the 1 that stands in for an undefined ratio: hence the product.
    loss: tf.mul(tf.div(shortfall, tolerance), counted),
  };
}

/** What is measured at one ReLU: its masks and the moments [4] of {@link stableMoments}. */
function measure(box: IntervalTensor) {
  const center = centerOf(box);
  const active = mask(() => tf.greater(box.lower, 0));
  const inactive = mask(() => tf.less(box.upper, 0));
  return { center, active, inactive, moments: stableMoments(center, active, inactive) };
}

/**
 * Returns how evenly the neurons of each ReLU layer are split into active and inactive ones ("Fast Certified Robust Training with Short
 * Warmup", its regularizer of ReLU activation states). A pure function of tensors.
 *
 * @param context `bounds` of any method, read at every node that feeds a ReLU
 * @throws CertError `bad-argument` for a tolerance that is not a finite positive number
 */
export function reluBalanceReport(
  context: { readonly model: Model; readonly bounds: Bounds },
  { tolerance = 0.5 }: ToleranceOptions = {},
): ReluBalanceReport {
  checkTolerance(tolerance, 'reluBalance');
  const nodes = reluInputs(context.model);
  if (nodes.length === 0) return { layers: {}, loss: tf.scalar(0) };
  const measured = nodes.map((node) => measure(context.bounds.at[node]!));
  // Vectors over the layers: on scalars every layer would bring the same small kernels again.
  const moments = momentsOf(tf.stack(measured.map((layer) => layer.moments)));
  const ratios = ratiosOf(moments, tolerance);
  const scalars = mapValues({ ...moments, ...ratios }, (vector) => tf.unstack(vector) as Scalar[]);
  const layers: { [node: string]: LayerBalance } = {};
  for (const [i, node] of nodes.entries()) {
    const { center, active, inactive } = measured[i]!;
    layers[node] = {
      activeCount: tf.sum(active) as Scalar,
      inactiveCount: tf.sum(inactive) as Scalar,
      centerMean: stopGradient(() => tf.mean(center)) as Scalar,
      ...mapValues(scalars, (all) => all[i]!),
    };
  }
  return { layers, loss: mean(ratios.loss) as Scalar };
}

/**
 * Returns the ReLU balance regularizer: the mean over all ReLU inputs of the shortfall of two ratios between the active (lower > 0)
 * and the inactive (upper < 0) neurons, of their mean centers and of their spreads. A layer without inactive neurons is
 * skipped (0), one without active neurons gets the full penalty 2. In [0, 2]; 0 for a model without ReLU. Named `relu-balance`.
 *
 * @throws CertError `bad-argument` for a tolerance that is not a finite positive number
 */
export function reluBalance(options: ToleranceOptions = {}): Regularizer {
  checkTolerance(options.tolerance ?? 0.5, 'reluBalance');
  return { name: 'relu-balance', actsOn: ['relu'], term: (context) => reluBalanceReport(context, options).loss };
}

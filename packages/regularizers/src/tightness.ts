import {
  type Bounds,
  type IntervalTensor,
  type Model,
  mean,
  type Regularizer,
  radiusOf,
  reluInputs,
  type Scalar,
  tf,
} from '@cert/core';
import { checkTolerance, type ToleranceOptions } from './tolerance.js';

/** Smaller mean radii than this are divided by as if they were this: a layer that nothing reaches has radius 0. */
const smallest = 1e-12;

/** The tightness of the bounds at the input of one ReLU. All scalars. */
export interface LayerTightness {
  /** Mean radius over batch and neurons. */
  readonly meanRadius: Scalar;
  /** Mean radius of the input box over `meanRadius`, the latter at least 1e-12. */
  readonly ratio: Scalar;
  /** relu(tolerance - ratio) / tolerance, in [0, 1]. */
  readonly loss: Scalar;
}

/** What {@link tightnessReport} returns: a tree of scalars. */
export interface TightnessReport {
  /** Mean radius of the (clipped) input box. */
  readonly inputRadius: Scalar;
  /** One entry for each node that feeds a ReLU, by its name. */
  readonly layers: { readonly [node: string]: LayerTightness };
  /** The mean of the layers' losses: the value of the regularizer. */
  readonly loss: Scalar;
}

/**
 * Returns how much wider than the input box the bounds at each ReLU are ("Fast Certified Robust Training with Short Warmup",
 * its bound tightness regularizer). A pure function of tensors.
 *
 * @param context `input` is the clipped box, [batch, ...inputShape]; `bounds`, of any method, are read at every node that feeds a ReLU
 * @throws CertError `bad-argument` for a tolerance that is not a finite positive number
 */
export function tightnessReport(
  context: { readonly model: Model; readonly input: IntervalTensor; readonly bounds: Bounds },
  { tolerance = 0.5 }: ToleranceOptions = {},
): TightnessReport {
  checkTolerance(tolerance, 'tightness');
  const inputRadius = tf.mean(radiusOf(context.input)) as Scalar;
  const nodes = reluInputs(context.model);
  if (nodes.length === 0) return { inputRadius, layers: {}, loss: tf.scalar(0) };
  const meanRadii = nodes.map((node) => mean(radiusOf(context.bounds.at[node]!)) as Scalar);
  // Vectors over the layers from here on.
  const ratios = tf.div(inputRadius, tf.maximum(tf.stack(meanRadii), smallest));
  const losses = tf.div(tf.relu(tf.sub(tolerance, ratios)), tolerance);
  const [ratioOf, lossOf] = [ratios, losses].map((vector) => tf.unstack(vector) as Scalar[]) as [Scalar[], Scalar[]];
  const layers: { [node: string]: LayerTightness } = {};
  for (const [i, node] of nodes.entries()) {
    layers[node] = { meanRadius: meanRadii[i]!, ratio: ratioOf[i]!, loss: lossOf[i]! };
  }
  return { inputRadius, layers, loss: mean(losses) as Scalar };
}

/**
 * Returns the bound tightness regularizer: the mean over all ReLU inputs of relu(tolerance - r0 / r) / tolerance, r the mean radius
 * there and r0 that of the input box. In [0, 1]; 0 for a model without ReLU. Named `tightness`.
 *
 * @throws CertError `bad-argument` for a tolerance that is not a finite positive number
 */
export function tightness(options: ToleranceOptions = {}): Regularizer {
  checkTolerance(options.tolerance ?? 0.5, 'tightness');
  return { name: 'tightness', actsOn: ['relu'], term: (context) => tightnessReport(context, options).loss };
}

/** What a step computes for a classifier or for a regression: the functions of the outputs to bound, losses and counts. */
import { marginSpec } from '@cert/bounds';
import { type Bounds, CertError, type Model, type Scalar, type Spec, type Tensor, tf } from '@cert/core';
import { countErrors, countUnverified, crossEntropy, robustLoss, weightedMean } from './loss.js';
import type { Objective } from './objectives/objective.js';

/** What makes training a regression: batches have `targets`, and the model has one output, in their units. */
export interface Regression {
  /** A prediction counts as wrong from this distance to its target on, in the units of the target; > 0. */
  readonly delta: number;
  /** Unit of the squared errors in metrics, such as the standard deviation of the targets; > 0. */
  readonly scale: number;
}

/**
 * Returns |f - y| of each example.
 *
 * @param outputs [batch, 1]
 * @param targets [batch]
 * @returns [batch]
 */
export const absoluteErrors = (outputs: Tensor, targets: Tensor): Tensor =>
  tf.abs(tf.sub(tf.reshape(outputs, [-1]), targets));

/**
 * Returns the largest |f - y| over output intervals: max(u - y, y - l) of each example.
 *
 * @param lower [batch, 2]: lower bounds of f and of -f, the specification of a regression
 * @param targets [batch]
 * @returns [batch], >= 0
 */
export function worstErrors(lower: Tensor, targets: Tensor): Tensor {
  const signed = tf.stack([targets, tf.neg(targets)], 1);
  return tf.max(tf.sub(signed, lower), 1);
}

/** Mean of squared errors in units of `scale`, weighted by example. */
export const meanSquare = (errors: Tensor, scale: number, weights?: Tensor): Scalar =>
  weightedMean(tf.square(tf.div(errors, scale)), weights);

/** The labels of a batch, and for a regression its targets. */
interface Labels {
  readonly labels: Tensor;
  readonly targets?: Tensor | undefined;
}

/** What a step computes, apart from the objective. */
export interface Task {
  /** Linear functions of the outputs to bound: the margins of the labels, or f and -f. */
  spec(labels: Tensor): Spec;
  /** Metrics of the outputs without perturbation. */
  clean(outputs: Tensor, labels: Labels): { readonly naturalLoss: Scalar; readonly errors: Scalar };
  /** Metrics of the bounds. */
  robust(bounds: Bounds, labels: Labels): { readonly robustLoss: Scalar; readonly unverified: Scalar };
}

/**
 * Returns what a step computes.
 *
 * @throws CertError `bad-argument` for a model of one output without `regression`, or of several outputs with it, and for an objective of
 * the other task
 */
export function taskOf(model: Model, objective: Objective, regression?: Regression): Task {
  checkTask(objective, regression === undefined ? undefined : 'regression');
  if ((model.classes === 1) !== (regression !== undefined)) {
    throw new CertError(
      'bad-argument',
      `The model has ${model.classes} outputs, for ${regression === undefined ? 'a classification' : 'a regression'}.`,
      'A regression has one output and the option regression; a classifier has an output for each of at least 2 classes.',
    );
  }
  return regression === undefined ? classification(model.classes) : withTargets(regression);
}

/** @throws CertError `bad-argument` for an objective of another task than that of the data */
export function checkTask({ name, task }: Pick<Objective, 'name' | 'task'>, wanted: 'regression' | undefined): void {
  if (task === wanted) return;
  throw new CertError(
    'bad-argument',
    task === 'regression'
      ? `The objective ${name} is for a regression, but the data have classes.`
      : `The objective ${name} is for a classification, but the data are a regression.`,
    task === 'regression'
      ? 'Choose an objective for classes, such as robust, or data with targets: --csv-task regression.'
      : 'Choose the objective squared (natural) or interval (certified), which the methods natural, vanilla, fast, stability and volume use.',
  );
}

/** @throws CertError `bad-argument` for a batch with targets where none are read, or without where they are */
export function checkTargets({ targets }: Labels, regression: Regression | undefined): void {
  if ((targets === undefined) === (regression === undefined)) return;
  throw new CertError(
    'bad-argument',
    `The batch has ${targets === undefined ? 'no targets, but training is a regression' : 'targets, but training is a classification'}.`,
    'Give targets with the option regression of the step, and only then.',
  );
}

const classification = (classes: number): Task => ({
  spec: (labels) => marginSpec(labels, classes),
  clean: (outputs, { labels }) => ({
    naturalLoss: crossEntropy(outputs, labels),
    errors: countErrors(outputs, labels),
  }),
  robust: ({ output: { lower } }) => ({ robustLoss: robustLoss(lower), unverified: countUnverified(lower) }),
});

const withTargets = ({ delta, scale }: Regression): Task => ({
  spec: (labels) => ({ matrix: tf.tile(tf.tensor3d([1, -1], [1, 2, 1]), [labels.shape[0]!, 1, 1]) }),
  clean(outputs, { targets }) {
    const errors = absoluteErrors(outputs, targets!);
    return { naturalLoss: meanSquare(errors, scale), errors: countOutside(errors, delta) };
  },
  robust({ output: { lower } }, { targets }) {
    const errors = worstErrors(lower, targets!);
    return { robustLoss: meanSquare(errors, scale), unverified: countOutside(errors, delta) };
  },
});

/** How many errors are not below delta; NaN is not. */
const countOutside = (errors: Tensor, delta: number): Scalar =>
  tf.sub(errors.size, tf.sum(tf.cast(tf.less(errors, delta), 'float32'))) as Scalar;

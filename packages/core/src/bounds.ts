/**
 * The contracts between bound methods, regularizers and whoever calls them. Types only. Records of tensors are type aliases
 * rather than interfaces, so that `tf.tidy` takes them as results.
 */
import type { IntervalTensor } from './interval.js';
import type { Model } from './model.js';
import type { Scalar, Tensor, Tensor3D } from './tf.js';
import type { Params } from './tree.js';

/** The mean and the biased variance, both of shape [channels], that a batch normalization uses. */
export type Moments = {
  readonly mean: Tensor;
  readonly variance: Tensor;
};

/** The statistics that each batchNorm node uses: the running ones in evaluation, the batch's own in training. */
export type BatchNormStats = { readonly [node: string]: Moments };

/**
 * Linear functions of the logits to be bounded: `matrix` has shape [batch, rows, classes]. It is multiplied into the last
 * dense layer before bounding.
 */
export type Spec = {
  readonly matrix: Tensor3D;
};

/** What a bound method returns. */
export type Bounds = {
  /** Bounds of the logits [batch, classes], or of `spec` times the logits [batch, rows] when a spec was given. */
  readonly output: IntervalTensor;
  /** Bounds at every node before the last, and of the box itself under `input`. */
  readonly at: { readonly [node: string]: IntervalTensor };
};

/**
 * A bound method: for a box of inputs, an interval that contains every value that the model can take on it.
 * A pure function of tensors that reads no value, so that it runs eagerly, differentiates and compiles.
 */
export interface BoundMethod {
  readonly name: string;
  bound(model: Model, params: Params, norm: BatchNormStats, input: IntervalTensor, spec?: Spec): Bounds;
}

/** A penalty on bounds. A pure function of tensors like a {@link BoundMethod}. */
export interface Regularizer {
  readonly name: string;
  term(context: RegularizerContext): Scalar;
}

/**
 * What a regularizer may look at. `input` is the clipped box. Bounds are there for every node but convolutions and dense layers that
 * only a batch normalization reads, which may be folded into it.
 */
export interface RegularizerContext {
  readonly model: Model;
  readonly params: Params;
  readonly input: IntervalTensor;
  readonly bounds: Bounds;
}

/** A minibatch: images [batch, ...inputShape] and integer labels [batch]. */
export type Batch = {
  readonly images: Tensor;
  readonly labels: Tensor;
};

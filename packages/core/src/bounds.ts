/**
 * The contracts between bound methods, regularizers and whoever calls them. Types only. Records of tensors are type aliases
 * rather than interfaces, so that `tf.tidy` takes them as results.
 */
import type { IntervalTensor } from './interval.js';
import type { Model, Op } from './model.js';
import type { Scalar, Tensor, Tensor3D } from './tf.js';
import type { Params } from './tree.js';

/** What a batch normalization subtracts and divides by. */
export type Moments = {
  /** [channels]. */
  readonly mean: Tensor;
  /** [channels]; biased for a batch (the sum of squares over n), >= 0. */
  readonly variance: Tensor;
};

/** The statistics that each batchNorm node uses, by its name: the running ones in evaluation, the batch's own in training. */
export type BatchNormStats = { readonly [node: string]: Moments };

/** A network as it is bounded: graph, parameters, and the statistics of its batch normalizations. */
export type Network = {
  /** The graph. */
  readonly model: Model;
  /** A tensor for each of its parameters. */
  readonly params: Params;
  /** Statistics for every batchNorm node; may be left out for a model without any. */
  readonly norm?: BatchNormStats;
};

/**
 * Linear functions of the logits to be bounded. Where the last layer is dense they are multiplied into it before bounding, which is
 * tighter.
 */
export type Spec = {
  /** [batch, rows, classes]; for each image, a row of coefficients for each number to be bounded. */
  readonly matrix: Tensor3D;
};

/** What is bounded: a network over a box of inputs. */
export type Problem = {
  /** The network. */
  readonly network: Network;
  /** The box, [batch, ...inputShape]. */
  readonly box: IntervalTensor;
  /** What is bounded of the logits; the logits themselves without. */
  readonly spec?: Spec | undefined;
};

/** What a bound method returns. Every interval has the batch as its first axis. */
export type Bounds = {
  /** Bounds of the logits [batch, classes], or of `spec` times the logits [batch, rows] when a spec was given. */
  readonly output: IntervalTensor;
  /** Bounds [batch, ...shape] at every node before the last, by its name, and the box itself under `input`. */
  readonly at: { readonly [node: string]: IntervalTensor };
};

/**
 * A bound method: for a box of inputs, an interval that contains every value that the model can take on it.
 * A pure function of tensors that reads no value, so that it runs eagerly, differentiates and compiles.
 */
export interface BoundMethod {
  /** The name that errors and results give it, such as `ibp`. */
  readonly name: string;
  /**
   * Bounds the logits, or `spec` times the logits, over a box.
   *
   * @throws CertError `missing-rule` for an op that the method does not know, naming the node
   */
  bound(problem: Problem): Bounds;
}

/** A penalty on bounds. A pure function of tensors like a {@link BoundMethod}. */
export interface Regularizer {
  /** The name that errors and metrics give it, such as `tightness`. */
  readonly name: string;
  /**
   * The ops that it looks at, such as `['relu']`: on a model without any of them its term is a constant, and a run says so. Leave it out
   * for a regularizer that acts on every model.
   */
  readonly actsOn?: readonly Op[];
  /** The penalty, before its weight in the loss: a scalar that differentiates with respect to the parameters. */
  term(context: RegularizerContext): Scalar;
}

/** What a regularizer may look at. */
export interface RegularizerContext {
  /** The model that was bounded. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: Params;
  /** The box, [batch, ...inputShape], clipped to the data range. */
  readonly input: IntervalTensor;
  /**
   * Bounds over that box. `bounds.at` lacks the convolutions and dense layers that only a batch normalization reads: they may have
   * been folded into it.
   */
  readonly bounds: Bounds;
}

/** A minibatch. */
export type Batch = {
  /** [batch, ...inputShape], float32, in the range of the data ([0, 1] for raw pixels). */
  readonly images: Tensor;
  /** [batch], int32, each in [0, classes). */
  readonly labels: Tensor;
};

/** A minibatch on the host. */
export interface HostBatch {
  /** Row-major [count, ...inputShape], in the data range. */
  readonly images: Float32Array;
  /** One class index per image, from 0. */
  readonly labels: Int32Array;
  /** For an objective that chooses points or a box: uniform in [-1, 1], one number for each of the images'. */
  readonly noise?: Float32Array;
}

/** Scalars that change from step to step. They enter a compiled function as tensors, so that it compiles once. */
export type Hyper = { readonly [name: string]: Scalar };

/** A minibatch as a training step takes it. */
export type TrainBatch = Batch & {
  /** Uniform in [-1, 1], of the shape of the images; there for an objective that chooses points or a box. */
  readonly noise?: Tensor;
};

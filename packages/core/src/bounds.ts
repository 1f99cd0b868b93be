/**
 * The contracts between bound methods, regularizers and whoever calls them. Types only. Records of tensors are type aliases
 * rather than interfaces, so that `tf.tidy` takes them as results.
 */
import type { HostTensor } from './host.js';
import type { IntervalTensor } from './interval.js';
import type { Model, Op } from './model.js';
import type { Scalar, Tensor, Tensor3D } from './tf.js';
import type { Params } from './tree.js';

/** Mean and variance that a BatchNorm node normalizes with. */
export type Moments = {
  /** [channels]. */
  readonly mean: Tensor;
  /** [channels]; biased for a batch (the sum of squares over n), >= 0. */
  readonly variance: Tensor;
};

/** The statistics that each batchNorm node uses, by its name: running statistics in evaluation, batch statistics in training. */
export type BatchNormStats = { readonly [node: string]: Moments };

/** A network to bound: graph, parameters and BatchNorm statistics. */
export type Network = {
  /** The graph. */
  readonly model: Model;
  /** One tensor for each parameter of the model. */
  readonly params: Params;
  /** Statistics for every batchNorm node; optional for a model without BatchNorm. */
  readonly norm?: BatchNormStats;
};

/**
 * Linear functions of the logits to bound. If the last layer is dense, they are multiplied into that layer first, which gives tighter
 * bounds.
 */
export type Spec = {
  /** [batch, rows, classes]; for each image, one row of coefficients per linear function. */
  readonly matrix: Tensor3D;
};

/** A bound problem: a network over a box of inputs. */
export type Problem = {
  /** The network. */
  readonly network: Network;
  /** The box, [batch, ...inputShape]. */
  readonly box: IntervalTensor;
  /** Linear functions of the logits to bound; without a specification, the logits. */
  readonly spec?: Spec | undefined;
};

/** Result of a bound method. The first axis of every interval is the batch. */
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
  /** Name in errors and results, such as `ibp`. */
  readonly name: string;
  /**
   * Bounds the logits, or `spec` times the logits, over a box.
   *
   * @throws CertError `missing-rule` for an op that the method does not support, naming the node
   */
  bound(problem: Problem): Bounds;
}

/** A penalty on bounds. A pure function of tensors like a {@link BoundMethod}. */
export interface Regularizer {
  /** Name in errors and metrics, such as `tightness`. */
  readonly name: string;
  /**
   * Ops that the regularizer acts on, such as `['relu']`. On a model without these ops the term is constant, and a run warns. Leave the
   * field out for a regularizer that acts on every model.
   */
  readonly actsOn?: readonly Op[];
  /** Returns the unweighted penalty: a scalar, differentiable with respect to the parameters. */
  term(context: RegularizerContext): Scalar;
}

/** Input of a regularizer. */
export interface RegularizerContext {
  /** The model that was bounded. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: Params;
  /** The box, [batch, ...inputShape], clipped to the data range. */
  readonly input: IntervalTensor;
  /**
   * Bounds over the box. `bounds.at` lacks convolutions and dense layers that only a BatchNorm node reads, because they may have been
   * folded into that node.
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
  /** Noise for an objective that chooses points or a box: uniform in [-1, 1], [count, ...] in the shape that the objective wants. */
  readonly noise?: HostTensor;
  /** For a regression: the numbers to predict, one per example; `labels` are then all 0. */
  readonly targets?: Float32Array;
  /** Weights of the examples in the loss, >= 0, of mean 1 over the batch; default: all 1. */
  readonly weights?: Float32Array;
}

/** Scalars that change from step to step. They are tensors, so that a compiled function is traced only once. */
export type Hyper = { readonly [name: string]: Scalar };

/** A minibatch for a training step. */
export type TrainBatch = Batch & {
  /** [batch], float32: the numbers to predict, for a regression; `labels` are then all 0. */
  readonly targets?: Tensor;
  /** [batch], float32: weights of the examples in the loss, of mean 1 over the batch; default: all 1. */
  readonly weights?: Tensor;
  /** Uniform in [-1, 1], [batch, ...] in the shape that the objective wants; present for an objective that chooses points or a box. */
  readonly noise?: Tensor;
};

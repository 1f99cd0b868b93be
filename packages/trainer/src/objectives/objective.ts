import type { NaturalPass, SpecifiedProblem } from '@cert/bounds';
import type { Bounds, DataRange, Hyper, IntervalTensor, Model, Network, Params, Scalar, Tensor } from '@cert/core';

/** What every objective may look at. */
export interface NaturalContext {
  /** The network as it is trained, with the batch's own statistics. */
  readonly network: Network;
  /** int32 [batch]. */
  readonly labels: Tensor;
  /** Logits [batch, classes] at the points trained on. */
  readonly logits: Tensor;
  /** Scalars that change from step to step. */
  readonly hyper: Hyper;
}

/** What an objective may look at that reads bounds. */
export interface BoundedContext extends NaturalContext {
  /**
   * What is bounded: the network, with batch normalizations folded where it pays, over the box around each image, and the margins of the
   * labels, matrix [batch, classes - 1, classes].
   */
  readonly problem: SpecifiedProblem;
  /** Bounds by the step's method, of the margins [batch, classes - 1] at the output. */
  readonly bounds: Bounds;
}

/** What {@link Objective.choose} may look at. */
export interface ChoiceContext {
  /** The graph. */
  readonly model: Model;
  /** Its parameters, as they are trained. */
  readonly params: Params;
  /** [batch, ...inputShape]. */
  readonly images: Tensor;
  /** int32 [batch]. */
  readonly labels: Tensor;
  /** Uniform in [-1, 1], of the shape of the images. */
  readonly noise: Tensor;
  /** `epsilon` is there. */
  readonly hyper: Hyper;
  /** The range that points are clipped to; `undefined` for [0, 1], null for none. */
  readonly range: DataRange | null | undefined;
  /** The plain forward pass with the statistics of these very images. */
  pass(params: Params, images: Tensor): NaturalPass;
}

/** What a step trains on instead of the images and the whole ball. */
export interface Choice {
  /** The points of the natural pass, of the shape of the images; default the images. */
  readonly points?: Tensor;
  /** The box that is bounded, [batch, ...inputShape]; default the ball of radius `hyper.epsilon`, clipped to the data range. */
  readonly box?: IntervalTensor;
}

interface Named {
  /** Name in errors. */
  readonly name: string;
  /**
   * Chooses other points to train on than the images, or another box than the whole ball. No gradient flows through the choice. The step
   * needs `batch.noise` for it.
   */
  choose?(context: ChoiceContext): Choice;
}

/** An objective that reads no bounds. */
export interface UnboundedObjective extends Named {
  /** The step computes no bounds for it. */
  readonly bounded: false;
  /** What to minimize: a scalar, the mean over the batch. */
  loss(context: NaturalContext): Scalar;
}

/** An objective that reads bounds over the ball of radius `hyper.epsilon`. */
export interface BoundedObjective extends Named {
  /** The step computes bounds for it. */
  readonly bounded: true;
  /** What to minimize: a scalar, the mean over the batch. */
  loss(context: BoundedContext): Scalar;
}

/** What training minimizes, before regularizers. Pure functions of tensors that read no value. */
export type Objective = UnboundedObjective | BoundedObjective;

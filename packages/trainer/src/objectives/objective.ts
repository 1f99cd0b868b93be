import type { NaturalPass, SpecifiedProblem } from '@cert/bounds';
import type { Bounds, Hyper, IntervalTensor, Model, Network, Params, Perturbation, Scalar, Tensor } from '@cert/core';

/** Input of every objective. */
export interface NaturalContext {
  /** The network in training, with batch statistics. */
  readonly network: Network;
  /** int32 [batch]; all 0 for a regression. */
  readonly labels: Tensor;
  /** float32 [batch]: the numbers to predict; present for a regression. */
  readonly targets?: Tensor | undefined;
  /** Logits [batch, classes], or predictions [batch, 1], at the training points. */
  readonly logits: Tensor;
  /** [batch], the weight of each example in the loss (see `weightedMean`); missing where all count alike. */
  readonly weights?: Tensor | undefined;
  /** Scalars that change from step to step. */
  readonly hyper: Hyper;
}

/** Input of an objective that reads bounds. */
export interface BoundedContext extends NaturalContext {
  /**
   * The bound problem: the network (possibly with folded BatchNorm), the box around each image, and the margins of the labels as
   * specification, matrix [batch, classes - 1, classes]. For a regression, f and -f: matrix [batch, 2, 1].
   */
  readonly problem: SpecifiedProblem;
  /** Bounds by the bound method of the step; the output bounds the margins [batch, classes - 1], or f and -f [batch, 2]. */
  readonly bounds: Bounds;
}

/** Input of {@link Objective.choose}. */
export interface ChoiceContext {
  /** The graph. */
  readonly model: Model;
  /** Current parameters. */
  readonly params: Params;
  /** [batch, ...inputShape]. */
  readonly images: Tensor;
  /** int32 [batch]. */
  readonly labels: Tensor;
  /** Uniform in [-1, 1], of the shape of the images. */
  readonly noise: Tensor;
  /** Scalars, including `epsilon`. */
  readonly hyper: Hyper;
  /** The set around each image; its radius is `hyper.epsilon`. */
  readonly perturbation: Perturbation;
  /** The plain forward pass with the batch statistics of these images. */
  pass(params: Params, images: Tensor): NaturalPass;
}

/** Points or a box to train on instead of the images and the whole ball. */
export interface Choice {
  /** Points for the natural pass, in the shape of the images; default: the images. */
  readonly points?: Tensor;
  /** Box to bound, [batch, ...inputShape]; default: the perturbation set of radius `hyper.epsilon`. */
  readonly box?: IntervalTensor;
}

interface Named {
  /** Name in errors. */
  readonly name: string;
  /** `regression` for an objective that reads `context.targets`; default: it is for classes. */
  readonly task?: 'regression';
  /** Whether the loss weights its examples by `context.weights`; default false: a step then refuses a batch with weights. */
  readonly weighted?: boolean;
  /**
   * Chooses other points to train on than the images, or another box than the whole ball. No gradient flows through the choice. The step
   * needs `batch.noise` for it.
   */
  choose?(context: ChoiceContext): Choice;
}

/** An objective that reads no bounds. */
export interface UnboundedObjective extends Named {
  /** False: the step computes no bounds. */
  readonly bounded: false;
  /** Returns the loss: a scalar, the mean over the batch. */
  loss(context: NaturalContext): Scalar;
}

/** An objective that reads bounds over the ball of radius `hyper.epsilon`. */
export interface BoundedObjective extends Named {
  /** True: the step computes bounds. */
  readonly bounded: true;
  /** Returns the loss: a scalar, the mean over the batch. */
  loss(context: BoundedContext): Scalar;
}

/** The training loss before regularizers. Consists of pure functions of tensors that read no value. */
export type Objective = UnboundedObjective | BoundedObjective;

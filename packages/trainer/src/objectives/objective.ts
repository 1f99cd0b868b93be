import type { NaturalPass, SpecifiedProblem } from '@cert/bounds';
import type {
  BoundMethod,
  Bounds,
  Hyper,
  IntervalTensor,
  Model,
  Network,
  Params,
  Perturbation,
  Scalar,
  Shape,
  Spec,
  Tensor,
} from '@cert/core';

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
  /** What {@link Objective.choose} returned, as constants; empty for an objective without it. */
  readonly choice: Choice;
  /**
   * Returns the logits [n, classes] at other points [n, ...inputShape], with the batch statistics of `network`. Gradients flow through the
   * statistics.
   *
   * @param from name of the node whose values the points are, [n, ...shape]; default: the input
   */
  forward(points: Tensor, from?: string): Tensor;
}

/** Input of an objective that reads bounds. */
export interface BoundedContext extends NaturalContext {
  /**
   * The bound problem: the network (possibly with folded BatchNorm), the box around each image or the chosen box, and the margins of the
   * labels as specification, matrix [batch, classes - 1, classes]. For a regression, f and -f: matrix [batch, 2, 1].
   */
  readonly problem: SpecifiedProblem;
  /** Bounds by the bound method of the objective or the step; the output bounds the margins [batch, classes - 1], or f and -f [batch, 2]. */
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
  /** Uniform in [-1, 1]: [batch, ...shape], with the shape that {@link Objective.noise} returns. */
  readonly noise: Tensor;
  /** Scalars, including `epsilon`. */
  readonly hyper: Hyper;
  /** The set around each image; its radius is `hyper.epsilon`. */
  readonly perturbation: Perturbation;
  /** The margins of the labels, matrix [batch, classes - 1, classes]. */
  readonly spec: Spec;
  /** The plain forward pass with the batch statistics of the given points. */
  pass(params: Params, points: Tensor): NaturalPass;
  /** The network with the batch statistics of the images, possibly with folded BatchNorm. */
  readonly network: Network;
  /**
   * Returns the logits [n, classes] of {@link network} at points [n, ...inputShape].
   *
   * @param from name of the node whose values the points are; default: the input
   */
  forward(points: Tensor, from?: string): Tensor;
  /** Bounds {@link network} over a box by the bound method of the objective or the step; the output bounds the margins of the labels. */
  bound(box: IntervalTensor): Bounds;
}

/** What an objective trains on besides, or instead of, the images and the whole ball. */
export interface Choice {
  /** Points for the natural pass, in the shape of the images; default: the images. */
  readonly points?: Tensor;
  /** Box to bound, [batch, ...inputShape]; default: the perturbation set of radius `hyper.epsilon`. Regularizers read the whole set. */
  readonly box?: IntervalTensor;
  /** Points of an attack, for the loss of the objective; in the shape that the objective wants. */
  readonly adversarial?: Tensor;
}

interface Named {
  /** Name in errors. */
  readonly name: string;
  /** `regression` for an objective that reads `context.targets`; default: it is for classes. */
  readonly task?: 'regression';
  /** Whether the loss weights its examples by `context.weights`; default false: a step then refuses a batch with weights. */
  readonly weighted?: boolean;
  /**
   * Chooses points to train on, a box, or points of an attack, before the pass that gradients are taken of: they are constants to it. The
   * step needs `batch.noise` for it.
   */
  choose?(context: ChoiceContext): Choice;
  /** @throws CertError `bad-argument` for a model or a perturbation set that the objective cannot train with; called before the first step */
  check?(model: Model, perturbation: Perturbation): void;
  /** Returns the shape of the noise of one image that {@link choose} needs; default: the input shape of the model. */
  noise?(model: Model): Shape;
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
  /**
   * Bound method of this loss; default: that of the step. It may be unsound on purpose (SABR's ReLU shrinkage), because metrics and
   * regularizers read the bounds of the step's method.
   */
  readonly method?: BoundMethod;
  /** Returns the loss: a scalar, the mean over the batch. */
  loss(context: BoundedContext): Scalar;
}

/** The training loss before regularizers. Consists of pure functions of tensors that read no value. */
export type Objective = UnboundedObjective | BoundedObjective;

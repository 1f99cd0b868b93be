/** An objective as the suite sees it: what `@cert/trainer` hands to it in a training step, and what it returns. */
import type {
  BatchNormStats,
  BoundMethod,
  Bounds,
  Hyper,
  IntervalTensor,
  Model,
  Network,
  Params,
  Perturbation,
  Problem,
  Scalar,
  Shape,
  Spec,
  Tensor,
} from '@cert/core';

/** Input of an objective, as in a training step. */
export interface TestedContext {
  /** The network, with statistics for its batch normalizations. */
  readonly network: Network;
  /** int32 [batch]. */
  readonly labels: Tensor;
  /** [batch, classes]. */
  readonly logits: Tensor;
  /** [batch], the weights of the examples; missing where all count alike. */
  readonly weights?: Tensor | undefined;
  /** The scalars `epsilon` and `ramp`. */
  readonly hyper: Hyper;
  /** The same network over the ball [batch, ...inputShape], and the margins of the labels. */
  readonly problem: Problem & { readonly spec: Spec };
  /** Bounds at every node, of the margins [batch, classes - 1] at the output. */
  readonly bounds: Bounds;
  /** What `choose` returned; empty without it. */
  readonly choice: TestedChoice;
  /** Logits of the network at points, or at values of the node `from`. */
  forward(points: Tensor, from?: string): Tensor;
}

/** What an objective chose before the pass that gradients are taken of. */
export interface TestedChoice {
  /** [batch, ...inputShape]. */
  readonly points?: Tensor;
  /** [batch, ...inputShape]. */
  readonly box?: IntervalTensor;
  /** Points of an attack. */
  readonly adversarial?: Tensor;
}

/** Input of `choose`, as in a training step. */
export interface TestedChoiceContext {
  /** The graph. */
  readonly model: Model;
  /** Parameters. */
  readonly params: Params;
  /** [batch, ...inputShape]. */
  readonly images: Tensor;
  /** int32 [batch]. */
  readonly labels: Tensor;
  /** Uniform in [-1, 1]. */
  readonly noise: Tensor;
  /** The scalars `epsilon` and `ramp`. */
  readonly hyper: Hyper;
  /** The set around each image. */
  readonly perturbation: Perturbation;
  /** The margins of the labels. */
  readonly spec: Spec;
  /** The plain forward pass with the batch statistics of the given points. */
  pass(
    params: Params,
    points: Tensor,
  ): {
    readonly output: Tensor;
    readonly at: { readonly [node: string]: Tensor };
    readonly norm: BatchNormStats;
  };
  /** The network with statistics. */
  readonly network: Network;
  /** Its logits at points, or at values of the node `from`. */
  forward(points: Tensor, from?: string): Tensor;
  /** Its bounds over a box, of the margins at the output. */
  bound(box: IntervalTensor): Bounds;
}

/** An objective, as `@cert/trainer` defines it. Bounded by the method of the suite, or by a method of its own. */
export interface TestedObjective {
  /** As messages call it. */
  readonly name: string;
  /** Chooses points or a box; they are constants to the loss. */
  choose?(context: TestedChoiceContext): TestedChoice;
  /** Shape of the noise of one image for `choose`; default: the input shape. */
  noise?(model: Model): Shape;
  /** Bound method of the loss; default: that of the suite. */
  readonly method?: BoundMethod;
  /** Whether it weights its examples; then that is tested. */
  readonly weighted?: boolean;
  /** What to minimize: a scalar. */
  loss(context: TestedContext): Scalar;
}

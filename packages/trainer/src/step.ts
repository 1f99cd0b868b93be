import { foldBatchNorm, ibp, natural, naturalPass, type RuleTable, updateRunning } from '@cert/bounds';
import {
  type BatchNormStats,
  type BoundMethod,
  CertError,
  type Hyper,
  hullOf,
  INPUT,
  type IntervalTensor,
  type Model,
  type Network,
  type Params,
  type Perturbation,
  perturbationBox,
  type Regularizer,
  type Scalar,
  type Stats,
  subModel,
  type Tensor,
  type TrainBatch,
  tf,
  UNIT_BALL,
  type ValueAndGrad,
  valueAndGrad,
} from '@cert/core';
import { l1Norm } from '@cert/regularizers';
import { afterGradients, joinParts, partSizes, splitBatch } from './accumulate.js';
import { checkWeighted } from './class-weights.js';
import type { Choice, Objective } from './objectives/objective.js';
import { clipByGlobalNorm, globalNorm } from './optimizers/clip.js';
import type { Optimizer, OptimizerState } from './optimizers/optimizer.js';
import { checkTargets, type Regression, taskOf } from './regression.js';

/** State of training. Plain data. */
export interface TrainState {
  /** Parameters. */
  readonly params: Params;
  /** Running statistics of batch normalizations. */
  readonly stats: Stats;
  /** State of the optimizer. */
  readonly optimizer: OptimizerState;
  /** Averaged parameters, once there are any. `fit` keeps them; a step neither reads nor returns them. */
  readonly average?: Params;
}

/** Metrics of a step on its batch, before the update. Losses are means over the batch, counts are in images. */
export interface StepMetrics {
  /** Total loss: the objective plus the weighted regularizers and the L1 term. */
  readonly loss: Scalar;
  /** The cross-entropy of the clean images; for a regression the squared error in units of its scale. */
  readonly naturalLoss: Scalar;
  /** Number of images misclassified without perturbation. */
  readonly errors: Scalar;
  /** The norm of all gradients, before clipping. */
  readonly gradNorm: Scalar;
  /** The robust loss, if bounds over the whole perturbation set were computed. */
  readonly robustLoss?: Scalar;
  /** Number of images that are not verified, if bounds over the whole perturbation set were computed. */
  readonly unverified?: Scalar;
  /** Each regularizer's term by its name, unweighted. */
  readonly terms: { readonly [name: string]: Scalar };
}

/** One training step as a pure function. `hyper` holds the scalars that change from step to step (see {@link createTrainStep}). */
export type Step = (
  state: TrainState,
  batch: TrainBatch,
  hyper: Hyper,
) => { readonly state: TrainState; readonly metrics: StepMetrics };

/** Options of a training step. */
export interface TrainStepOptions {
  /** The graph. */
  readonly model: Model;
  /** The objective. */
  readonly objective: Objective;
  /** The optimizer. */
  readonly optimizer: Optimizer;
  /** Bound method; default {@link ibp}. */
  readonly method?: BoundMethod;
  /** The plain forward pass; default {@link natural}. A model with plug-in ops needs their rules here and in `method`. */
  readonly natural?: RuleTable<Tensor>;
  /** Added to the objective, their sum times `hyper.regWeight`; default none. */
  readonly regularizers?: readonly Regularizer[];
  /** Weight of the sum of absolute kernel values, added to the loss in every step; default 0. */
  readonly l1Weight?: number;
  /** Gradients are scaled down to this global norm; default 10, `null` for no clipping. */
  readonly clipNorm?: number | null;
  /** The set around each image, whose radius `hyper.epsilon` replaces; default: an l-infinity ball, clipped to [0, 1]. */
  readonly perturbation?: Perturbation;
  /** For a regression: batches have targets; default: a classification. Errors then count predictions that are off by `delta` or more. */
  readonly regression?: Regression | undefined;
  /** Number of parts to split each batch into, to save memory; default 1. */
  readonly parts?: number;
}

/**
 * Creates a training step: natural pass with batch statistics, bounds of the margins over the perturbation set, objective plus regularizers, gradients
 * by reverse mode, clipping, optimizer, running statistics.
 *
 * The step reads `hyper.epsilon` (radius) when it needs the ball, `hyper.ramp` where the objective does, `hyper.regWeight` when it has
 * regularizers, `hyper.learningRate` and what the optimizer names; `batch.noise` when the objective chooses points or a box. Weights of the
 * batch weight the loss of the objective, not regularizers and other metrics than `loss`. The step
 * computes bounds if the objective or a regularizer needs them. The step reads no value, so it can run eagerly or compiled; the caller
 * disposes the returned tensors.
 *
 * With several parts, each part has separate batch statistics. Gradients are averaged over the images and clipped once, running statistics
 * are updated after each part, and metrics cover the whole batch.
 *
 * @throws CertError `bad-argument` for a `clipNorm` that is not > 0 (a negative one would turn every gradient around), for `parts` that are
 * not a whole number of at least 1, and for an objective of the other task
 */
export function createTrainStep(options: TrainStepOptions): Step {
  const {
    model,
    objective,
    optimizer,
    method = ibp,
    regularizers = [],
    clipNorm = 10,
    parts = 1,
    l1Weight = 0,
  } = options;
  checkOptions(clipNorm, parts);
  // With a schedule, categories grow with the radius.
  const { perturbation: whole = UNIT_BALL } = options;
  const perturbation = whole.kind === 'linf' ? hullOf(whole, model.inputShape) : whole;
  const task = taskOf(model, objective, options.regression);
  const pass = (params: Params, x: Tensor) => naturalPass({ model, params, norm: 'batch' }, x, options.natural);
  const logitsOf =
    (network: Network) =>
    (points: Tensor, from: string = INPUT) =>
      naturalPass({ ...network, model: subModel(network.model, from) }, points, options.natural).output;
  const own = objective.bounded ? objective.method : undefined;

  const forward = (params: Params, prepared: Prepared, hyper: Hyper): Forward => {
    const { images, labels, targets, weights, points, choice } = prepared;
    const { output: logits, norm } = pass(params, points);
    const plain = points === images ? logits : pass(params, images).output;
    const clean = task.clean(plain, { labels, targets });
    const network = { model, params, norm };
    const folded = foldBatchNorm(network, images.shape[0]!);
    const context = { network, labels, targets, logits, weights, hyper, choice, forward: logitsOf(folded) };
    const problem = (box: IntervalTensor) => ({ network: folded, box, spec: task.spec(labels) });
    // An objective with a box or a method of its own does not say what is verified: that is read off the bounds over the whole set.
    const special = !objective.bounded || choice.box !== undefined || own !== undefined;
    const whole =
      special && regularizers.length === 0 ? undefined : problem(perturbationBox(perturbation, images, hyper.epsilon!));
    const bounds = whole && method.bound(whole);
    const lossOf = (): Scalar => {
      if (!objective.bounded) return objective.loss(context);
      if (!special) return objective.loss({ ...context, problem: whole!, bounds: bounds! });
      const chosen = problem(choice.box ?? whole?.box ?? perturbationBox(perturbation, images, hyper.epsilon!));
      return objective.loss({ ...context, problem: chosen, bounds: (own ?? method).bound(chosen) });
    };
    const fit = l1Weight === 0 ? lossOf() : (tf.add(lossOf(), tf.mul(l1Norm(model, params), l1Weight)) as Scalar);
    if (bounds === undefined) return { value: fit, aux: { norm, metrics: { ...clean, loss: fit, terms: {} } } };
    const terms = Object.fromEntries(
      regularizers.map((regularizer) => [
        regularizer.name,
        regularizer.term({ model, params, input: whole!.box, bounds }),
      ]),
    );
    const penalties = Object.values(terms);
    const loss =
      penalties.length === 0
        ? fit
        : (tf.add(
            fit,
            tf.mul(
              penalties.reduce((a, b) => tf.add(a, b)),
              hyper.regWeight!,
            ),
          ) as Scalar);
    const robust = task.robust(bounds, { labels, targets });
    return { value: loss, aux: { norm, metrics: { ...clean, ...robust, loss, terms } } };
  };

  /** Points and box are chosen outside the pass that gradients are taken of: they are constants to it. */
  const prepare = (params: Params, { noise, ...batch }: TrainBatch, hyper: Hyper): Prepared => {
    const { images, labels, targets, weights } = batch;
    const given = { images, labels, targets, weights };
    if (objective.choose === undefined) return { ...given, points: images, choice: {} };
    // Here, because what is computed inside a gradient is freed with it. A compiled step drops it if nothing reads it.
    const network = foldBatchNorm({ model, params, norm: pass(params, images).norm }, images.shape[0]!);
    const spec = task.spec(labels);
    const choice = objective.choose({
      ...{ model, params, images, labels, noise: noise!, hyper, perturbation, spec, pass, network },
      forward: logitsOf(network),
      bound: (box) => (own ?? method).bound({ network, box, spec }),
    });
    return { ...given, points: choice.points ?? images, choice };
  };

  return (state, batch, hyper) => {
    const { params } = state;
    if (batch.weights !== undefined) checkWeighted(objective);
    checkTargets(batch, options.regression);
    const sizes = partSizes(batch.images.shape[0]!, parts);
    const passes: ValueAndGrad<Forward['aux']>[] = [];
    for (const part of splitBatch(batch, sizes)) {
      const prepared = prepare(params, afterGradients(part, passes.at(-1)?.grads), hyper);
      passes.push(valueAndGrad((leaves) => forward(leaves, prepared, hyper), params));
    }
    const grads = joinParts(
      passes.map((pass) => pass.grads),
      sizes,
    );
    const metrics = joinParts(
      passes.map(({ aux }) => aux.metrics),
      sizes,
      (path) => COUNTS.includes(path),
    );
    const clipped = clipNorm === null ? { grads, norm: globalNorm(grads) } : clipByGlobalNorm(grads, clipNorm);
    const updated = optimizer.update(params, clipped.grads, state.optimizer, hyper);
    const stats = passes.reduce(
      (running, { aux }, i) => updateRunning(model, running, aux.norm, sizes[i]!),
      state.stats,
    );
    return {
      state: { params: updated.params, stats, optimizer: updated.state },
      metrics: { ...metrics, gradNorm: clipped.norm },
    };
  };
}

function checkOptions(clipNorm: number | null, parts: number): void {
  if (clipNorm !== null && !(clipNorm > 0)) {
    throw new CertError('bad-argument', `clipNorm is ${clipNorm}.`, 'Give a norm > 0, or null for no clipping.');
  }
  if (!(Number.isInteger(parts) && parts > 0)) {
    throw new CertError('bad-argument', `parts is ${parts}.`, 'Give a whole number of at least 1.');
  }
}

/** The metrics that count images. */
const COUNTS: readonly string[] = ['errors', 'unverified'];

/** A batch with what the objective chose, and the points of the natural pass. */
interface Prepared {
  readonly images: Tensor;
  readonly labels: Tensor;
  readonly targets: Tensor | undefined;
  readonly weights: Tensor | undefined;
  readonly points: Tensor;
  readonly choice: Choice;
}

/** What the forward pass hands to the update besides gradients. */
interface Forward {
  readonly value: Scalar;
  readonly aux: { readonly norm: BatchNormStats; readonly metrics: Omit<StepMetrics, 'gradNorm'> };
}

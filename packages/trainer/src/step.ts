import { foldBatchNorm, ibp, marginSpec, naturalPass, updateRunning } from '@cert/bounds';
import {
  type Batch,
  type BatchNormStats,
  type BoundMethod,
  type DataRange,
  initialStats,
  linfBall,
  type Model,
  type Params,
  type Regularizer,
  type Scalar,
  type Stats,
  tf,
} from '@cert/core';
import { valueAndGrad } from './gradient.js';
import { countErrors, countUnverified, crossEntropy, robustLoss } from './loss.js';
import type { Objective } from './objective.js';
import { clipByGlobalNorm, globalNorm, type Hyper, type Optimizer, type OptimizerState } from './optimizer.js';

/** Everything that training changes. Plain data. */
export interface TrainState {
  readonly params: Params;
  /** Running statistics of batch normalizations. */
  readonly stats: Stats;
  readonly optimizer: OptimizerState;
}

/** What a step measures on its batch, before the update. Losses are means over the batch, counts are in images. */
export interface StepMetrics {
  /** What was minimized: the objective plus the weighted regularizers. */
  readonly loss: Scalar;
  readonly naturalLoss: Scalar;
  readonly errors: Scalar;
  /** The norm of all gradients, before clipping. */
  readonly gradNorm: Scalar;
  /** The robust loss, when bounds were computed. */
  readonly robustLoss?: Scalar;
  /** Images that are not verified, when bounds were computed. */
  readonly unverified?: Scalar;
  /** Each regularizer's term by its name, unweighted. */
  readonly terms: { readonly [name: string]: Scalar };
}

/** One training step as a pure function. `hyper` holds the scalars that change from step to step (see {@link createTrainStep}). */
export type Step = (
  state: TrainState,
  batch: Batch,
  hyper: Hyper,
) => { readonly state: TrainState; readonly metrics: StepMetrics };

/** What a step is made of. */
export interface TrainStepOptions {
  readonly model: Model;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  /** How bounds are computed; default {@link ibp}. */
  readonly method?: BoundMethod;
  /** Added to the objective, their sum times `hyper.regWeight`; default none. */
  readonly regularizers?: readonly Regularizer[];
  /** Gradients are scaled down to this global norm; default 10, `null` for no clipping. */
  readonly clipNorm?: number | null;
  /** The range that perturbed images are clipped to; default [0, 1]. */
  readonly range?: DataRange | null;
}

/**
 * Makes a training step: natural pass with the batch's own statistics, bounds of the margins over the ball, objective plus
 * regularizers, gradients by reverse mode, clipping, optimizer, running statistics.
 *
 * The step reads `hyper.epsilon` (radius) when it computes bounds, `hyper.regWeight` when it has regularizers,
 * `hyper.learningRate` and what the optimizer names. It computes bounds when the objective or a regularizer needs them. It reads
 * no value, so that it runs eagerly and compiles; the caller owns the tensors that it returns.
 */
export function createTrainStep(options: TrainStepOptions): Step {
  const { model, objective, optimizer, method = ibp, regularizers = [], clipNorm = 10, range } = options;
  const bounded = objective.bounded || regularizers.length > 0;

  const forward = (params: Params, { images, labels }: Batch, hyper: Hyper): Forward => {
    const { output: logits, norm } = naturalPass(model, params, images, 'batch');
    const natural = { naturalLoss: crossEntropy(logits, labels), errors: countErrors(logits, labels) };
    if (!bounded) {
      const loss = objective.loss({ logits, labels });
      return { value: loss, aux: { norm, metrics: { ...natural, loss, terms: {} } } };
    }
    const input = linfBall(images, hyper.epsilon!, range);
    const network = foldBatchNorm({ model, params }, norm, images.shape[0]!);
    const bounds = method.bound(network.model, network.params, norm, input, marginSpec(labels, model.classes));
    const margins = bounds.output.lower;
    const context = { model, params, input, bounds };
    const terms = Object.fromEntries(regularizers.map((regularizer) => [regularizer.name, regularizer.term(context)]));
    const fit = objective.loss({ logits, labels, margins });
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
    const robust = { robustLoss: robustLoss(margins), unverified: countUnverified(margins) };
    return { value: loss, aux: { norm, metrics: { ...natural, ...robust, loss, terms } } };
  };

  return (state, batch, hyper) => {
    const { aux, grads } = valueAndGrad((params) => forward(params, batch, hyper), state.params);
    const clipped = clipNorm === null ? { grads, norm: globalNorm(grads) } : clipByGlobalNorm(grads, clipNorm);
    const updated = optimizer.update(state.params, clipped.grads, state.optimizer, hyper);
    const stats = updateRunning(model, state.stats, aux.norm, batch.images.shape[0]!);
    return {
      state: { params: updated.params, stats, optimizer: updated.state },
      metrics: { ...aux.metrics, gradNorm: clipped.norm },
    };
  };
}

/** What the forward pass hands to the update besides gradients. */
interface Forward {
  readonly value: Scalar;
  readonly aux: { readonly norm: BatchNormStats; readonly metrics: Omit<StepMetrics, 'gradNorm'> };
}

/** The state before the first step. It takes the parameters over; the caller owns the rest. */
export const initialState = (model: Model, params: Params, optimizer: Optimizer): TrainState => ({
  params,
  stats: initialStats(model),
  optimizer: optimizer.init(params),
});

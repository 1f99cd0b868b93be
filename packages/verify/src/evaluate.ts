import { ibp, marginSpec, naturalPass, type RuleTable, runningNorm } from '@cert/bounds';
import {
  type Batch,
  type BoundMethod,
  checkEpsilon,
  checkInRange,
  type DataRange,
  type Hyper,
  linfBall,
  type Model,
  type Params,
  readRange,
  type Stats,
  type Tensor,
} from '@cert/core';
import {
  type Device,
  type DeviceArray,
  disposeTree,
  type HostBatch,
  type OnDevice,
  putBatch,
  putScalars,
  turn,
} from '@cert/jit';
import { type AttackOptions, attackStepSize, createAttackStep, randomStart } from './attack/step.js';
import { finiteMargins } from './finite-margins.js';
import { checkSound, readMargins, smallestBound } from './margins.js';

/** What {@link createEvaluator} is made of. */
export interface EvaluatorOptions {
  /** Where to compute. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** How bounds are computed; default {@link ibp}. */
  readonly method?: BoundMethod;
  /** The plain forward pass; default that of the built-in ops. */
  readonly natural?: RuleTable<Tensor>;
  /** The range that perturbed images are clipped to; default [0, 1]. */
  readonly range?: DataRange | null;
}

/** Parameters and running statistics on the device. */
export interface Network {
  /** Parameters. */
  readonly params: OnDevice<Params>;
  /** Running statistics. */
  readonly stats: OnDevice<Stats>;
}

/** What to evaluate. */
export interface EvaluateOptions {
  /** Minibatches in order; each image counts once. */
  readonly batches: Iterable<HostBatch>;
  /** The radius, in the units of the images. */
  readonly epsilon: number;
  /** Also run an attack; default none. */
  readonly attack?: AttackOptions | null;
  /** Called after every batch with the images done so far. */
  readonly onProgress?: (images: number) => void;
  /** When it is aborted, the batch that is under way is finished and the evaluation rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Errors as fractions of the images. */
export interface Evaluation {
  /** How many there were. */
  readonly images: number;
  /** The radius, in the units of the images. */
  readonly epsilon: number;
  /** Misclassified without perturbation. */
  readonly standardError: number;
  /** Misclassified at the clean image or at any point that the attack visited; null without an attack. */
  readonly pgdError: number | null;
  /** Not verified: some lower margin is not positive or not finite, or a point of the ball was found that is misclassified. */
  readonly verifiedError: number;
}

/** Evaluates networks of one model: compiled once, runs any number of times. */
export interface Evaluator {
  /**
   * Standard error, error under attack, verified error, all with running statistics. A bound that is NaN or infinite does not verify;
   * an image with such a logit counts as misclassified.
   *
   * @param network on the evaluator's device; it stays the caller's
   * @throws CertError `unsound` when the attack breaks an image that the bounds verify; `bad-argument` for an epsilon that is not a finite
   * number >= 0; `bad-data` for images outside the range
   */
  evaluate(network: Network, options: EvaluateOptions): Promise<Evaluation>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/** Makes an evaluator for one model on one device, the caller's to dispose. Nothing is compiled before its first batch. */
export function createEvaluator({ device, model, method = ibp, natural, range }: EvaluatorOptions): Evaluator {
  const size = model.inputShape.reduce((a, b) => a * b, 1);
  const bounds = device.jit((network: { params: Params; stats: Stats }, { images, labels }: Batch, hyper: Hyper) => {
    const norm = runningNorm(network.stats);
    const { output: logits } = naturalPass(model, network.params, images, norm, natural);
    const input = linfBall(images, hyper.epsilon!, range);
    const bounds = method.bound(model, network.params, norm, input, marginSpec(labels, model.classes));
    return { logits, lower: finiteMargins(model, bounds, norm) };
  });
  const attackStep = device.jit(createAttackStep(model, range, natural));

  /** The smallest margin of each image at any point that the attack visits. */
  async function attackBatch(
    network: Network,
    host: HostBatch,
    batch: OnDevice<Batch>,
    epsilon: number,
    first: number,
    { steps = 40, restarts = 3, seed = 0 }: AttackOptions,
  ): Promise<Float64Array> {
    const smallest = new Float64Array(host.labels.length).fill(Number.POSITIVE_INFINITY);
    const hyper = putScalars(device, { epsilon, stepSize: attackStepSize(epsilon, steps) });
    for (let restart = 0; restart < restarts; restart++) {
      const start = randomStart(host.images, { epsilon, size, first, seed, restart });
      let point: DeviceArray = device.put(start, batch.images.shape);
      // One call more than there are steps: a call gives the logits at the point that it is handed.
      for (let step = 0; step <= steps; step++) {
        const next = await attackStep(network, batch, point, hyper);
        readMargins(await next.logits.data(), host.labels, model.classes).forEach(({ margin }, i) => {
          smallest[i] = Math.min(smallest[i]!, margin);
        });
        disposeTree([point, next.logits]);
        point = next.point;
      }
      point.dispose();
    }
    disposeTree(hyper);
    return smallest;
  }

  return {
    async evaluate(network, { batches, epsilon, attack = null, onProgress, signal }) {
      checkEpsilon(epsilon);
      const limits = await readRange(range);
      const total = { images: 0, standard: 0, attacked: 0, unverified: 0 };
      const scalars = putScalars(device, { epsilon });
      try {
        for (const host of batches) {
          checkInRange(host.images, limits, size, total.images);
          const batch = putBatch(device, model, host);
          const out = await bounds(network, batch, scalars);
          const clean = readMargins(await out.logits.data(), host.labels, model.classes);
          const lower = await out.lower.data();
          disposeTree(out);
          const attacked = attack && (await attackBatch(network, host, batch, epsilon, total.images, attack));
          disposeTree(batch);
          for (let i = 0; i < host.labels.length; i++) {
            const bound = smallestBound(lower, i, model.classes - 1);
            const { margin, size } = clean[i]!;
            const worst = attacked ? Math.min(margin, attacked[i]!) : margin;
            checkSound({ method: method.name, image: total.images + i, bound, found: worst, size });
            if (!(margin > 0)) total.standard++;
            if (!(worst > 0)) total.attacked++;
            if (!(bound > 0 && worst > 0)) total.unverified++;
          }
          total.images += host.labels.length;
          onProgress?.(total.images);
          await turn();
          signal?.throwIfAborted();
        }
      } finally {
        disposeTree(scalars);
      }
      const { images } = total;
      return {
        images,
        epsilon,
        standardError: total.standard / images,
        pgdError: attack ? total.attacked / images : null,
        verifiedError: total.unverified / images,
      };
    },
    async dispose() {
      await bounds.dispose();
      await attackStep.dispose();
    },
  };
}

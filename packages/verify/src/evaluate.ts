import { ibp, marginSpec, naturalPass, type RuleTable, runningNorm } from '@cert/bounds';
import {
  type Batch,
  type BoundMethod,
  CertError,
  checkEpsilon,
  checkInRange,
  type HostBatch,
  type Hyper,
  type Model,
  type Perturbation,
  perturbationBox,
  type Shape,
  sizeOf,
  type Tensor,
  UNIT_BALL,
} from '@cert/core';
import { type Device, disposeTree, type OnDevice, putBatch, putScalars, turn } from '@cert/jit';
import type { AttackOptions } from './attack/step.js';
import { checkCount, checkLabel } from './checked-images.js';
import { finiteMargins } from './finite-margins.js';
import { certify } from './images/certify.js';
import type { IndexedImage } from './images/certify-options.js';
import { countResults } from './images/count.js';
import type { ImageResult } from './images/result.js';
import { checkSound, readMargins, smallestBound } from './margins.js';
import { isPositive, isVerified } from './verdict.js';
import { boundVerifier, type Weights } from './verifier.js';

/** Options of {@link createEvaluator}. */
export interface EvaluatorOptions {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** Bound method; default {@link ibp}. */
  readonly method?: BoundMethod;
  /** The plain forward pass; default: the rules of the built-in ops. */
  readonly natural?: RuleTable<Tensor>;
  /** The set around each image; its radius is replaced by that of each evaluation. Default: an l-infinity ball, clipped to [0, 1]. */
  readonly perturbation?: Perturbation;
  /** The tolerance of a model made by `withTolerance` of `@cert/core`: absolute errors are then reported too. */
  readonly delta?: number | undefined;
}

/** Options of an evaluation. */
export interface EvaluateOptions {
  /** Minibatches in order, each image once. */
  readonly batches: Iterable<HostBatch>;
  /** The radius, in the units of the images. */
  readonly epsilon: number;
  /** Attack to run; default: none. */
  readonly attack?: AttackOptions | null;
  /** Called after every batch with the number of evaluated images. */
  readonly onProgress?: (images: number) => void;
  /** If aborted, the current batch is finished and the evaluation rejects with the reason of the signal. */
  readonly signal?: AbortSignal;
}

/** Errors as fractions of the images. */
export interface Evaluation {
  /** How many there were. */
  readonly images: number;
  /** The radius, in the units of the images. */
  readonly epsilon: number;
  /** Standard error: misclassified without perturbation. */
  readonly standardError: number;
  /** PGD error: misclassified at the clean image or at any point of the attack; null without an attack. */
  readonly pgdError: number | null;
  /** Verified error: a lower margin is not positive or not finite, or an adversarial example was found. */
  readonly verifiedError: number;
  /** For a regression: the mean of |f - y|, in the units of the label; null where a prediction is not finite. */
  readonly absoluteError?: number | null;
  /** For a regression: the mean over the inputs of the largest |f - y| that the bounds allow; null where one is not finite. */
  readonly verifiedAbsoluteError?: number | null;
}

/** Evaluates networks of one model; compiled once, for any number of calls. */
export interface Evaluator {
  /**
   * Returns standard error, PGD error and verified error, with running statistics. A NaN or infinite bound does not verify; an image with a
   * NaN or infinite logit counts as misclassified.
   *
   * @param weights on the device of the evaluator; the caller keeps ownership
   * @throws CertError `unsound` if the attack breaks an image that the bounds verify; `bad-argument` for an epsilon that is not a finite
   * number >= 0; `bad-data` for images outside the range, labels that are not one of the classes, and no images at all; `shape-mismatch` for
   * a batch with another number of values than its labels need
   */
  evaluate(weights: OnDevice<Weights>, options: EvaluateOptions): Promise<Evaluation>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/** Creates an evaluator for one model on one device; the caller disposes it. Nothing is compiled before the first batch. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { device, model, method = ibp, natural, perturbation = UNIT_BALL, delta } = options;
  const bounds = device.jit(({ params, stats }: Weights, { images, labels }: Batch, hyper: Hyper) => {
    const network = { model, params, norm: runningNorm(stats) };
    const { output: logits } = naturalPass(network, images, natural);
    const box = perturbationBox(perturbation, images, hyper.epsilon!);
    const spec = marginSpec(labels, model.classes);
    return { logits, lower: finiteMargins(network, method.bound({ network, box, spec })) };
  });

  /** Standard and verified error, a batch at a time. */
  async function withoutAttack(
    weights: OnDevice<Weights>,
    { batches, epsilon, onProgress, signal }: EvaluateOptions,
  ): Promise<Evaluation> {
    const total = { images: 0, standard: 0, unverified: 0, margins: 0, bounds: 0 };
    const scalars = putScalars(device, { epsilon });
    try {
      for (const host of batches) {
        checkCount(host.images, host.labels.length, model.inputShape, total.images);
        checkInRange(host.images, perturbation.range, model.inputShape, total.images);
        host.labels.forEach((label, i) => {
          checkLabel(label, model.classes, total.images + i);
        });
        const batch = putBatch(device, model, host);
        const out = await bounds(weights, batch, scalars);
        const clean = readMargins(await out.logits.data(), host.labels, model.classes);
        const lower = await out.lower.data();
        disposeTree([out, batch]);
        clean.forEach(({ margin, size }, i) => {
          const bound = smallestBound(lower, i, model.classes - 1);
          checkSound({ method: method.name, image: total.images + i, bound, found: margin, size });
          total.margins += margin;
          total.bounds += bound;
          if (!isPositive(margin)) total.standard++;
          if (!isVerified({ lower: bound, found: margin })) total.unverified++;
        });
        total.images += host.labels.length;
        onProgress?.(total.images);
        await turn();
        signal?.throwIfAborted();
      }
    } finally {
      disposeTree(scalars);
    }
    const { images, standard, unverified, margins, bounds: lower } = total;
    checkAny(images);
    return {
      ...{ images, epsilon, pgdError: null },
      ...{ standardError: standard / images, verifiedError: unverified / images },
      ...absoluteErrors(delta, margins / images, lower / images),
    };
  }

  /** All three errors, image by image: every attack is held against every bound. */
  async function withAttack(
    weights: OnDevice<Weights>,
    attack: AttackOptions,
    { batches, epsilon, onProgress, signal }: EvaluateOptions,
  ): Promise<Evaluation> {
    const [first, ...rest] = batches;
    const results: ImageResult[] = [];
    const stream = certify({
      ...{ device, model, weights, natural, attack, complete: true, signal },
      perturbation: { ...perturbation, epsilon },
      images: singly(first === undefined ? [] : [first, ...rest], model.inputShape),
      verifiers: [boundVerifier(method)],
      batchSize: Math.max(1, first?.labels.length ?? 1),
    });
    for await (const result of stream) {
      results.push(result);
      onProgress?.(results.length);
    }
    checkAny(results.length);
    const { images, standardError, pgdError, methods } = countResults(results, { methods: [method.name], attack });
    return {
      ...{ images, epsilon, standardError: standardError.fraction, pgdError: pgdError!.fraction },
      verifiedError: methods[method.name]!.verifiedError.fraction,
      ...absoluteErrors(
        delta,
        meanOf(results, ({ margin }) => margin),
        meanOf(results, ({ lower }) => lower[method.name]),
      ),
    };
  }

  return {
    async evaluate(weights, settings) {
      checkEpsilon(settings.epsilon);
      const { attack = null } = settings;
      return attack === null ? withoutAttack(weights, settings) : withAttack(weights, attack, settings);
    },
    dispose: () => bounds.dispose(),
  };
}

/** The mean of margins; -infinity where one is not known or not finite. */
const meanOf = (results: readonly ImageResult[], value: (result: ImageResult) => number | null | undefined): number =>
  results.reduce((sum, result) => sum + (value(result) ?? Number.NEGATIVE_INFINITY), 0) / results.length;

/** Absolute errors of a regression from means of its margins, 1 - |f - y| / delta. */
function absoluteErrors(delta: number | undefined, margin: number, bound: number) {
  if (delta === undefined) return {};
  const [error, worst] = [margin, bound].map((mean) => (Number.isFinite(mean) ? delta * (1 - mean) : null));
  return { absoluteError: error ?? null, verifiedAbsoluteError: worst ?? null };
}

function checkAny(images: number): void {
  if (images > 0) return;
  throw new CertError('bad-data', 'The batches have no images.', 'Give at least one image.');
}

/** The images of batches one by one. */
function* singly(batches: Iterable<HostBatch>, shape: Shape): Iterable<IndexedImage> {
  const size = sizeOf(shape);
  let index = 0;
  for (const { images, labels } of batches) {
    checkCount(images, labels.length, shape, index);
    for (let i = 0; i < labels.length; i++, index++) {
      yield { index, label: labels[i]!, pixels: images.subarray(i * size, (i + 1) * size) };
    }
  }
}

/** A small network that is trained in the browser, one epoch at a time, by the trainer of `@cert/trainer`. */
import { crownIbp, ibp, naturalPass, runningNorm } from '@cert/bounds';
import type { Tensor } from '@cert/core';
import { batchCount, batches, type Split } from '@cert/datasets';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, type OnDevice, putBatch, putScalars } from '@cert/jit';
import { mlp } from '@cert/models';
import {
  adam,
  always,
  constantSchedule,
  fit,
  initialState,
  naturalObjective,
  naturalThen,
  putState,
  robustObjective,
  smoothedSchedule,
} from '@cert/trainer';
import { boundVerifier, isVerified, type Weights } from '@cert/verify';

/** How a network is trained. */
export type Training = 'certified' | 'plain';

/** How balls are verified. */
export type Method = 'ibp' | 'crown-ibp';

/** Epochs in all; the radius grows from epoch 5 on for 60 epochs. */
export const EPOCHS = 120;
const [RAMP, BATCH, RATE] = [{ start: 5, length: 60 }, 30, 0.01];

/** A network during training. */
export interface Learner {
  /** Epochs done. */
  readonly epoch: number;
  /** The radius of the last step; 0 for plain training. */
  readonly epsilon: number;
  /** The loss of the last epoch; null before the first. */
  readonly loss: number | null;
  /** Trains for one epoch; at the end of training it does nothing. */
  advance(): Promise<void>;
  /** Logit of class 1 minus logit of class 0, at points [count, 2]. */
  scores(points: Float32Array): Promise<Float32Array>;
  /** For each point whether a method verifies its label over the ball of radius `epsilon`. */
  verified(epsilon: number, method: Method): Promise<boolean[]>;
  /** Frees everything; a running `advance` must have ended. */
  dispose(): Promise<void>;
}

/** Prepares a network. @param options.target the radius at the end of certified training */
export function createLearner(
  device: Device,
  points: Split,
  { training, target, seed }: { readonly training: Training; readonly target: number; readonly seed: number },
): Learner {
  const model = mlp({ inputShape: [2], classes: 2, hidden: [32, 32, 32] });
  const optimizer = adam();
  const stepsPerEpoch = batchCount(points, BATCH);
  const state = initialState(model, ibpInit(model, seed), optimizer);
  const certified = training === 'certified';
  const events = fit({
    ...{ device, model, optimizer, stepsPerEpoch, state, epochs: EPOCHS },
    plan: {
      objective: certified ? naturalThen(robustObjective()) : always(naturalObjective),
      epsilon: certified ? smoothedSchedule({ ...RAMP, target, stepsPerEpoch }) : constantSchedule(0),
      targetEpsilon: target,
      learningRate: constantSchedule(RATE),
      regWeight: () => 0,
      regularizedSteps: 0,
    },
    batches: (epoch, from) => batches(points, { batchSize: BATCH, seed, epoch, from }),
  });
  const verifiers = {
    ibp: boundVerifier(ibp).on({ device, model }),
    'crown-ibp': boundVerifier(crownIbp).on({ device, model }),
  };
  const pass = device.jit(
    ({ params, stats }: Weights, images: Tensor) =>
      naturalPass({ model, params, norm: runningNorm(stats) }, images).output,
  );
  const all = { images: Float32Array.from(points.images), labels: Int32Array.from(points.labels) };

  // Before the first step the state is ours; later it belongs to `fit`, until the next event.
  const first = putState(device, state);
  let weights: OnDevice<Weights> = first;
  let [epoch, epsilon, loss]: [number, number, number | null] = [0, 0, null];

  const scores = async (places: Float32Array): Promise<Float32Array> => {
    const images = device.put(places, [places.length / 2, 2]);
    const out = await pass(weights, images);
    const logits = await out.data();
    disposeTree([images, out]);
    return Float32Array.from({ length: places.length / 2 }, (_, i) => logits[2 * i + 1]! - logits[2 * i]!);
  };

  return {
    get epoch() {
      return epoch;
    },
    get epsilon() {
      return epsilon;
    },
    get loss() {
      return loss;
    },
    scores,
    async advance() {
      // After its last event `fit` would free the state.
      while (epoch < EPOCHS) {
        const { value: event } = await events.next();
        if (event === undefined) return;
        weights = event.state;
        if (event.type !== 'epoch') continue;
        [epoch, epsilon, loss] = [event.epoch, event.epsilon, event.metrics.loss ?? null];
        return;
      }
    },
    async verified(radius, method) {
      const own = await scores(all.images);
      const found = Array.from(own, (score, i) => (all.labels[i] === 1 ? score : -score));
      const batch = putBatch(device, model, all);
      const hyper = putScalars(device, { epsilon: radius });
      const lower = await verifiers[method].lowerMargins(weights, batch, hyper);
      disposeTree([batch, hyper]);
      return found.map((margin, i) => isVerified({ lower: lower[i], found: margin }));
    },
    async dispose() {
      await events.return();
      disposeTree(first);
      await pass.dispose();
      for (const verifier of Object.values(verifiers)) await verifier.dispose();
    },
  };
}

import { type BoundMethod, linf, type Model, sizeOf } from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, type OnDevice, putParams } from '@cert/jit';
import { adam, initialState } from '@cert/trainer';
import { createEvaluator, pgd, type Weights } from '@cert/verify';
import { randomBatch } from './random-batch.js';
import type { Work } from './work.js';

/** What an evaluation is run on. */
interface EvaluationSetting {
  readonly device: Device;
  readonly model: Model;
  /** Images per step. */
  readonly batch: number;
  readonly epsilon: number;
}

/** A workload that evaluates an untrained network. */
export type Evaluation = (setting: EvaluationSetting) => Work;

const untrained = (device: Device, model: Model): OnDevice<Weights> => {
  const { params, stats } = initialState(model, ibpInit(model, 0), adam());
  return { params: putParams(device, params), stats: putParams(device, stats) };
};

/** One run of PGD on all images at once, through to the last step, whether or not images break before. */
export const attackWith =
  (steps: number): Evaluation =>
  ({ device, model, batch, epsilon }) => {
    const weights = untrained(device, model);
    const attack = pgd({ steps, restarts: 1 });
    const attacker = attack.on({ device, model, weights, perturbation: linf({ epsilon }), places: batch });
    const { images, labels } = randomBatch(model, batch);
    const size = sizeOf(model.inputShape);
    return {
      ready: async () => async () => {
        for (const [i, label] of labels.entries())
          attacker.begin(i, { index: i, label, pixels: images.subarray(i * size, (i + 1) * size) }, 0);
        for (let point = 0; point < attack.points; point++) await attacker.step();
      },
      dispose: () => attacker.dispose(),
    };
  };

/** Standard and verified error of all images, in minibatches of `chunk`. */
export const certifyWith =
  (method: BoundMethod, chunk: number): Evaluation =>
  ({ device, model, batch, epsilon }) => {
    const weights = untrained(device, model);
    const evaluator = createEvaluator({ device, model, method });
    const { images, labels } = randomBatch(model, batch);
    const size = sizeOf(model.inputShape);
    const batches = Array.from({ length: Math.ceil(batch / chunk) }, (_, i) => {
      const [from, to] = [i * chunk, (i + 1) * chunk];
      return { images: images.subarray(from * size, to * size), labels: labels.subarray(from, to) };
    });
    return {
      ready: async () => async () => {
        await evaluator.evaluate(weights, { batches, epsilon });
      },
      dispose: () => evaluator.dispose(),
    };
  };

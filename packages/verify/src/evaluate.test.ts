import { ibp } from '@cert/bounds';
import { type BoundMethod, dense, type HostBatch, sequential, tf } from '@cert/core';
import { eagerDevice, putParams } from '@cert/jit';
import { afterEach, describe, expect, it } from 'vitest';
import { createEvaluator } from './evaluate.js';

/** A linear classifier of one pixel: logits (x, 1 - x), so that the margin of class 0 is 2x - 1. */
const model = sequential([1], [dense(2)]);
const weights = {
  dense1: {
    kernel: { shape: [1, 2], data: Float32Array.of(1, -1) },
    bias: { shape: [2], data: Float32Array.of(0, 1) },
  },
};
const device = eagerDevice();
const batch = (...images: number[]): HostBatch => ({
  images: Float32Array.from(images),
  labels: new Int32Array(images.length),
});

afterEach(() => device.dispose());

async function evaluate(images: number[], epsilon: number, attack = {}, method: BoundMethod = ibp, values = weights) {
  const evaluator = createEvaluator({ device, model, method });
  const network = { params: putParams(device, values), stats: {} };
  return evaluator.evaluate(network, {
    batches: [batch(...images.slice(0, 3)), batch(...images.slice(3))],
    epsilon,
    attack,
  });
}

describe('createEvaluator', () => {
  it('counts exactly on a classifier whose margins are known', async () => {
    // Class 0 holds in the whole ball when x - 0.1 > 0.5; the box is clipped to [0, 1].
    const result = await evaluate([0.95, 0.65, 0.61, 0.55, 0.45], 0.1);
    expect(result).toEqual({ images: 5, epsilon: 0.1, standardError: 1 / 5, pgdError: 2 / 5, verifiedError: 2 / 5 });
  });

  it('without an attack reports none, and with radius 0 all errors agree', async () => {
    const evaluator = createEvaluator({ device, model });
    const network = { params: putParams(device, weights), stats: {} };
    const result = await evaluator.evaluate(network, { batches: [batch(0.9, 0.2)], epsilon: 0 });
    expect(result).toEqual({ images: 2, epsilon: 0, standardError: 0.5, pgdError: null, verifiedError: 0.5 });
  });

  it('never verifies what is not finite', async () => {
    const values = { dense1: { ...weights.dense1, bias: { shape: [2], data: Float32Array.of(Number.NaN, 0) } } };
    const result = await evaluate([0.9, 0.8], 0.1, { steps: 2 }, ibp, values);
    expect(result).toMatchObject({ standardError: 1, pgdError: 1, verifiedError: 1 });
  });

  it('catches bounds that are not sound', async () => {
    const optimistic: BoundMethod = {
      name: 'optimistic',
      bound(problem) {
        const bounds = ibp.bound(problem);
        const { lower, upper } = bounds.output;
        return { ...bounds, output: { lower: tf.add(lower, 0.5), upper } };
      },
    };
    await expect(evaluate([0.9, 0.55], 0.1, {}, optimistic)).rejects.toMatchObject({
      code: 'unsound',
      problem: expect.stringMatching(/^optimistic: input 0 has a lower margin of/),
    });
  });

  it('counts a tie as an error, verified or not', async () => {
    const values = {
      dense1: { kernel: { shape: [1, 2], data: new Float32Array(2) }, bias: { shape: [2], data: new Float32Array(2) } },
    };
    expect(await evaluate([0.9], 0.1, { steps: 1 }, ibp, values)).toMatchObject({ standardError: 1, verifiedError: 1 });
  });

  it('gives the same result whatever the batches, and leaves no array behind', async () => {
    const evaluator = createEvaluator({ device, model });
    const network = { params: putParams(device, weights), stats: {} };
    const images = [0.62, 0.58, 0.5001, 0.6, 0.49];
    const live = device.live;
    const attack = { steps: 3, restarts: 2, seed: 4 };
    const whole = await evaluator.evaluate(network, { batches: [batch(...images)], epsilon: 0.1, attack });
    const single = await evaluator.evaluate(network, { batches: images.map((x) => batch(x)), epsilon: 0.1, attack });
    expect(single).toEqual(whole);
    expect(device.live).toBe(live);
  });

  it.each([null, { steps: 2 }])(
    'refuses labels and images that do not fit, and no images, with the attack %j',
    async (attack) => {
      const network = { params: putParams(device, weights), stats: {} };
      const evaluated = (...batches: HostBatch[]) =>
        createEvaluator({ device, model }).evaluate(network, { batches, epsilon: 0, attack });
      const bad = { ...batch(0.9, 0.8), labels: Int32Array.of(0, -1) };
      const label = 'The label of input 2 is -1, but there are 2 classes.';
      await expect(evaluated(batch(0.9), bad)).rejects.toMatchObject({ code: 'bad-data', problem: label });
      await expect(evaluated({ ...bad, labels: Int32Array.of(2, 0) })).rejects.toMatchObject({ code: 'bad-data' });
      const short = { ...batch(0.9), labels: new Int32Array(2) };
      const size = '2 inputs, from input 1 on, have 1 values, but inputs have the shape [1].';
      await expect(evaluated(batch(0.9), short)).rejects.toMatchObject({ code: 'shape-mismatch', problem: size });
      for (const none of [[], [batch()]])
        await expect(evaluated(...none)).rejects.toThrow('The batches have no images.');
    },
  );

  it('stops when it is told to', async () => {
    const evaluator = createEvaluator({ device, model });
    const network = { params: putParams(device, weights), stats: {} };
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(evaluator.evaluate(network, { batches: [batch(0.9)], epsilon: 0, signal })).rejects.toThrow('enough');
  });
});

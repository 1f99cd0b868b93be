/** What is not finite is never verified and stops training, on the device that CERT_TEST_DEVICE names: GPUs lose NaN in places. */
import {
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  type HostParams,
  type HostTensor,
  initialStats,
  relu,
  sequential,
  type Tensor,
  tf,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import {
  adam,
  always,
  constantSchedule,
  countErrors,
  countUnverified,
  crossEntropy,
  fit,
  robustLoss,
  robustObjective,
} from '@cert/trainer';
import { createEvaluator } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let device: Device;
beforeAll(async () => {
  device = await openDevice(process.env.CERT_TEST_DEVICE ?? 'cpu');
});
afterAll(() => device.dispose());

const model = sequential([4, 4, 1], [conv2d(2), batchNorm(), relu(), flatten(), dense(3), relu(), dense(3)]);
const rng = createRng(5, 'not-finite');
const COUNT = 6;
const batch = {
  images: Float32Array.from({ length: 16 * COUNT }, rng.uniform),
  labels: Int32Array.from({ length: COUNT }, (_, i) => i % 3),
};
const host = { params: ibpInit(model, 0), stats: initialStats(model) } as {
  readonly params: HostParams;
  readonly stats: HostParams;
};

/** A tree with the first number of one of its tensors replaced. */
const spoil = (tree: HostParams, node: string, name: string, value: number): HostParams => {
  const { shape, data } = tree[node]![name] as HostTensor;
  const changed = data.slice();
  changed[0] = value;
  return { ...tree, [node]: { ...tree[node], [name]: { shape, data: changed } } } as HostParams;
};

const places = (tree: HostParams) =>
  Object.entries(tree).flatMap(([node, tensors]) => Object.keys(tensors).map((name) => [node, name] as const));

describe('a network with a number that is not finite', () => {
  it('is never verified, wherever the number is', async () => {
    const evaluator = createEvaluator({ device, model });
    const errors = async (params: HostParams, stats: HostParams) => {
      const network = { params: putParams(device, params), stats: putParams(device, stats) };
      const { verifiedError, standardError } = await evaluator.evaluate(network, { batches: [batch], epsilon: 0.001 });
      disposeTree(network);
      return { verifiedError, standardError };
    };
    expect((await errors(host.params, host.stats)).verifiedError).toBeLessThan(1);
    const wrong = { verifiedError: 1, standardError: 1 };
    for (const [node, name] of places(host.params)) {
      expect(await errors(spoil(host.params, node, name, Number.NaN), host.stats), `${node}.${name}`).toEqual(wrong);
    }
    for (const [node, name] of places(host.stats)) {
      expect(await errors(host.params, spoil(host.stats, node, name, Number.NaN)), `${node}.${name}`).toEqual(wrong);
    }
    const infinite = spoil(host.params, 'dense2', 'kernel', Number.POSITIVE_INFINITY);
    expect((await errors(infinite, host.stats)).verifiedError).toBe(1);
    await evaluator.dispose();
  });

  it('stops training, and its place is named', async () => {
    for (const [node, name] of [
      ['conv2d1', 'kernel'],
      ['dense1', 'bias'],
    ] as const) {
      const params = spoil(host.params, node, name, Number.NaN);
      const optimizer = adam();
      const zeros = Object.fromEntries(
        Object.entries(optimizer.init({})).map(([slot]) => [slot, zerosLike(host.params)]),
      );
      const events = fit({
        ...{ device, model, optimizer, epochs: 1, stepsPerEpoch: 1 },
        plan: {
          objective: always(robustObjective()),
          epsilon: constantSchedule(0.01),
          targetEpsilon: 0.01,
          learningRate: constantSchedule(0.01),
          regWeight: constantSchedule(0),
          regularizedSteps: 0,
        },
        batches: () => [batch],
        state: { params, stats: host.stats, optimizer: zeros },
      });
      await expect(events.next()).rejects.toMatchObject({
        code: 'not-finite',
        message: expect.stringContaining(`the parameter "${node}.${name}"`),
      });
    }
  });
});

const zerosLike = (tree: HostParams): HostParams =>
  Object.fromEntries(
    Object.entries(tree).map(([node, tensors]) => [
      node,
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => [
          name,
          { shape, data: new Float32Array(data.length) },
        ]),
      ),
    ]),
  ) as HostParams;

it('losses and counts see margins and logits that are not finite', async () => {
  const measure = device.jit((margins: Tensor, labels: Tensor) => ({
    unverified: countUnverified(margins),
    robust: robustLoss(margins),
    errors: countErrors(margins, labels),
    natural: crossEntropy(margins, labels),
  }));
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const at of [0, 2]) {
      const rows = Float32Array.of(1, 2, 3, 4, 5, 6);
      rows[at] = bad;
      const args = [device.put(rows, [2, 3]), device.put(Int32Array.of(1, 1), [2])] as const;
      const out = await measure(...args);
      const value = async (name: keyof typeof out) => (await out[name].data())[0]!;
      expect(await value('unverified'), `${bad} at ${at}`).toBe(1);
      if (Number.isNaN(bad)) {
        expect(await value('robust')).toBeNaN();
        expect(await value('errors')).toBe(2);
        expect(await value('natural')).toBeNaN();
      }
      disposeTree([args, out]);
    }
  }
  expect(tf.getBackend()).toBe('cpu');
});

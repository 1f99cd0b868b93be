import { standardRules } from '@cert/bounds';
import { dense, type HostTensor, relu, sequential } from '@cert/core';
import { putParams } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPropertyAttack } from './property-attack.js';
import { regionsOf } from './region.js';

let device: Awaited<ReturnType<typeof cpuDevice>>;
beforeAll(async () => {
  device = await cpuDevice({ threads: 1 });
});
afterAll(() => device.dispose());

const tensor = (shape: readonly number[], ...values: number[]): HostTensor => ({
  shape,
  data: Float32Array.from(values),
});

/**
 * Y_0 = 1 - relu(relu(mean x) - 0.99): the second ReLU is inactive, and its gradient 0, except in one corner of [0, 1]^16 that random
 * points never come near.
 */
const inputs = 16;
const model = sequential([inputs], [dense(1), relu(), dense(1), relu(), dense(1)]);
const params = {
  dense1: { kernel: tensor([inputs, 1], ...Array<number>(inputs).fill(1 / inputs)), bias: tensor([1], 0) },
  dense2: { kernel: tensor([1, 1], 1), bias: tensor([1], -0.99) },
  dense3: { kernel: tensor([1, 1], -1), bias: tensor([1], 1) },
};
const [region] = regionsOf({
  ...{ inputs, outputs: 1 },
  cases: [
    {
      ...{ lower: new Float64Array(inputs), upper: new Float64Array(inputs).fill(1) },
      outputs: [{ coefficients: Float64Array.of(1), bound: 0.995 }],
    },
  ],
});

describe('the attack on a property', () => {
  it('finds a violation behind a ReLU that is inactive at every start, and leaves nothing on the device', async () => {
    const weights = { params: putParams(device, params), stats: {} };
    const before = device.live;
    const attack = createPropertyAttack({ device, model, weights, rules: standardRules });
    const confirm = async (point: Float32Array) => point;
    const control = { confirm, deadline: Date.now() + 60_000, signal: undefined };
    const witness = await attack.search(region!, control, { restarts: 4 });
    const mean = witness!.reduce((sum, x) => sum + x, 0) / inputs;
    expect(mean).toBeGreaterThan(0.9949);
    expect(device.live).toBe(before);
    await attack.dispose();
  });
});

import { createRng, dense, type HostParams, type Layer, linf, relu, sequential, softmax } from '@cert/core';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { marginOfSoftmax } from '../complete/last-softmax.js';
import { certify } from '../images/certify.js';
import { babVerifier } from './search.js';

let device: Device;
beforeAll(async () => {
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

const layers: readonly Layer[] = [dense(3), relu(), dense(2)];
const model = sequential([2], layers);
const tensor = (shape: number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) });
const params: HostParams = {
  dense1: { kernel: tensor([2, 3], 5, -5, 1, 2, 3, -1), bias: tensor([3], 0.1, 0.2, 0) },
  dense2: { kernel: tensor([3, 2], 2, -3, 4, -5, 1, 1), bias: tensor([2], 0, 0) },
};
const image = { index: 0, pixels: Float32Array.of(0.9, 0.4), label: 0 };
const perturbation = linf({ epsilon: 0.01 });

async function searching<T>(
  use: (search: (image: { pixels: Float32Array; label: number }, epsilon?: number) => Promise<object>) => Promise<T>,
): Promise<T> {
  const weights = { params: putParams(device, params), stats: {} };
  const own = babVerifier({ timeout: 5 }).searchOn!({ device, model, perturbation }, 'deployed');
  try {
    return await use((image, epsilon = 0.01) => own.search(weights, image, epsilon));
  } finally {
    await own.dispose();
    disposeTree(weights);
  }
}

describe('a search', () => {
  it('has no margins for an empty set, and refuses a label that is not a class', async () => {
    await searching(async (search) => {
      expect(await search(image, -0.1)).toEqual({ margins: { nearest: null } });
      for (const label of [-1, 2])
        await expect(search({ ...image, label })).rejects.toMatchObject({ code: 'bad-data' });
    });
  });

  it('is opened once for calls at the same time', async () => {
    const live = device.live;
    const [one, two] = await searching((search) => Promise.all([search(image), search(image)]));
    expect(one).toMatchObject({ margins: { deployed: expect.toSatisfy((margin: number) => margin > 0) } });
    expect(two).toEqual(one);
    expect(device.live).toBe(live);
  });
});

describe('a softmax at the end', () => {
  it('has margins of probabilities, by the search too', async () => {
    const weights = { params: putParams(device, params), stats: {} };
    const stream = certify({
      ...{ device, weights, perturbation, model: sequential([2], [...layers, softmax()]) },
      ...{ images: [image], verifiers: [babVerifier({ timeout: 5 })], attack: null, batchSize: 1 },
    });
    for await (const { margin, lower, verifiedBy } of stream) {
      expect(verifiedBy).toBe('bab');
      expect(lower.bab).toBeGreaterThan(0.9);
      expect(lower.bab).toBeLessThanOrEqual(margin!);
    }
    disposeTree(weights);
  });

  it('has them below what the logits give, closely', () => {
    const rng = createRng(1, 'logits');
    for (let i = 0; i < 300; i++) {
      const others = Array.from({ length: 1 + rng.int(4) }, () => 3 * rng.normal());
      const sum = others.reduce((all, logit) => all + Math.exp(logit), 1);
      const bound = marginOfSoftmax(-Math.max(...others), others.length + 1);
      const margin = (1 - Math.exp(Math.max(...others))) / sum;
      expect(bound).toBeLessThanOrEqual(margin + 1e-12);
      if (others.length === 1) expect(bound).toBeCloseTo(margin, 9);
    }
  });
});

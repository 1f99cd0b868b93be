import { batchNorm, dense, type HostParams, linf, type Model, relu, sequential } from '@cert/core';
import { putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { describe, expect, it } from 'vitest';
import { createReluCounter } from './relu-states.js';

const tensor = (shape: number[], ...values: number[]) => ({ shape, data: Float32Array.from(values) });
const perturbation = linf({ epsilon: 0, range: { min: -10, max: 10 } });

/** The states of a network over a ball, with nothing left on the device. */
async function states(model: Model, params: HostParams, stats: HostParams, images: Float32Array, epsilon: number) {
  const device = await openDevice('tfjs');
  const counter = createReluCounter({ device, model, images, perturbation });
  const network = { params: putParams(device, params), stats: putParams(device, stats) };
  const before = device.live;
  const found = await counter.count(network, epsilon);
  expect(device.live).toBe(before);
  await counter.dispose();
  await device.dispose();
  return found;
}

describe('createReluCounter', () => {
  const model = sequential([1], [dense(5), relu(), dense(2)]);
  const params = (...bias: number[]) => ({
    dense1: { kernel: tensor([1, 5], 1, -1, 1, 2, 1), bias: tensor([5], ...bias) },
    dense2: { kernel: tensor([5, 2], ...Array.from({ length: 10 }, () => 1)), bias: tensor([2], 0, 0) },
  });

  it('counts strictly: a neuron whose bound is 0 is unstable', async () => {
    // Over [-1, 1]: [1, 3] active, [-4, -2] inactive, [-1, 1] unstable, [0, 4] and [-2, 0] unstable by their zeros.
    expect(await states(model, params(2, -3, 0, 2, -1), {}, Float32Array.of(0), 1)).toEqual({
      images: 1,
      layers: { dense1: { active: 0.2, inactive: 0.2, unstable: 0.6 } },
    });
  });

  it('counts bounds that are not finite as unstable', async () => {
    const { layers } = await states(model, params(2, -3, Number.NaN, 9, 9), {}, Float32Array.of(0), 1);
    expect(layers).toEqual({ dense1: { active: 0.6, inactive: 0.2, unstable: 0.2 } });
  });

  it('is what plain loops find, over more images than one call holds, with running statistics', async () => {
    const normed = sequential([2], [dense(3), batchNorm(), relu(), dense(2), relu(), dense(2)]);
    const kernel = [0.5, -1, 2, 1.5, 0.3, -0.7];
    const [mean, variance, gamma, beta] = [
      [0.1, -0.2, 0.3],
      [4, 1, 0.25],
      [1, -2, 0.5],
      [0.2, 0.1, -0.3],
    ];
    const second = [1, -1, 0.5, 2, -0.4, 0.6];
    const weights = {
      dense1: { kernel: tensor([2, 3], ...kernel), bias: tensor([3], 0.1, 0, -0.1) },
      batchNorm1: { gamma: tensor([3], ...gamma), beta: tensor([3], ...beta) },
      dense2: { kernel: tensor([3, 2], ...second), bias: tensor([2], -0.3, 0.4) },
      dense3: { kernel: tensor([2, 2], 1, 0, 0, 1), bias: tensor([2], 0, 0) },
    };
    const stats = { batchNorm1: { mean: tensor([3], ...mean), variance: tensor([3], ...variance) } };
    const count = 70;
    const images = Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(3 * i));
    const epsilon = 0.2;

    const tally = [
      { active: 0, inactive: 0, of: 3 * count },
      { active: 0, inactive: 0, of: 2 * count },
    ];
    const see = (layer: number, [lower, upper]: readonly [number, number]) => {
      if (lower > 0) tally[layer]!.active++;
      if (upper < 0) tally[layer]!.inactive++;
    };
    for (let image = 0; image < count; image++) {
      const hidden = [0, 1, 2].map((j): [number, number] => {
        let [center, radius] = [[0.1, 0, -0.1][j]!, 0];
        for (const i of [0, 1]) {
          center += images[2 * image + i]! * kernel[3 * i + j]!;
          radius += epsilon * Math.abs(kernel[3 * i + j]!);
        }
        const scale = gamma[j]! / Math.sqrt(variance[j]! + 1e-5);
        const moved = (center - mean[j]!) * scale + beta[j]!;
        return [moved - radius * Math.abs(scale), moved + radius * Math.abs(scale)];
      });
      for (const box of hidden) see(0, box);
      for (const j of [0, 1]) {
        let [lower, upper] = [[-0.3, 0.4][j]!, [-0.3, 0.4][j]!];
        hidden.forEach(([l, u], i) => {
          const w = second[2 * i + j]!;
          const ends = [w * Math.max(l, 0), w * Math.max(u, 0)];
          lower += Math.min(...ends);
          upper += Math.max(...ends);
        });
        see(1, [lower, upper]);
      }
    }
    const { images: seen, layers } = await states(normed, weights, stats, images, epsilon);
    expect(seen).toBe(count);
    expect(Object.keys(layers)).toEqual(['batchNorm1', 'dense2']);
    Object.values(layers).forEach(({ active, inactive, unstable }, layer) => {
      const { of, ...plain } = tally[layer]!;
      expect(active).toBeCloseTo(plain.active / of, 10);
      expect(inactive).toBeCloseTo(plain.inactive / of, 10);
      expect(unstable).toBeCloseTo(1 - (plain.active + plain.inactive) / of, 10);
      expect(Math.min(active, inactive, unstable)).toBeGreaterThan(0);
    });
  });
});

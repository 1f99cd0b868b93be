import { dense, relu, sequential } from '@cert/core';
import { expect, it } from 'vitest';
import { regionsOf } from '../region.js';
import { proveAgain } from './recheck.js';

/** relu(x) - relu(-x) + 0.2 = x + 0.2. */
const network = {
  model: sequential([1], [dense(2), relu(), dense(1)]),
  params: {
    dense1: {
      kernel: { shape: [1, 2], data: Float32Array.of(1, -1) },
      bias: { shape: [2], data: new Float32Array(2) },
    },
    dense2: {
      kernel: { shape: [2, 1], data: Float32Array.of(1, -1) },
      bias: { shape: [1], data: Float32Array.of(0.2) },
    },
  },
  stats: {},
};

it('does not take a negative multiplier', async () => {
  const part = (sign: 1 | -1, multiplier: number) => ({
    ...{ of: 0, mixtures: [{}] },
    splits: [{ node: 'dense1', neuron: 0, sign, multipliers: [multiplier] }],
  });
  const held = (bound: number, ...multipliers: readonly [number, number]) => {
    const outputs = [{ coefficients: Float64Array.of(1), bound }];
    const cases = [{ lower: Float64Array.of(-1), upper: Float64Array.of(1), outputs }];
    const [region] = regionsOf({ inputs: 1, outputs: 1, cases });
    const parts = [part(1, multipliers[0]), part(-1, multipliers[1])];
    return proveAgain(network, { region: region!, parts }, 'deployed', () => false);
  };
  // The smallest output is -0.8.
  expect(await held(-0.9, 1.5, 0)).toBe(true);
  expect(await held(-0.5, 1.5, -0.5)).toBe(false);
});

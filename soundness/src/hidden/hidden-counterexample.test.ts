import { crownIbp, ibp } from '@cert/bounds';
import { createRng, linf } from '@cert/core';
import { disposeTree, putParams } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { boundVerifier, certify, crownVerifier, type ImageResult } from '@cert/verify';
import { expect, it } from 'vitest';
import { contains } from '../box.js';
import { referenceIbp } from '../exact/reference-ibp.js';
import { executor } from '../execute/execute.js';
import { manyExecutions, marginOf } from '../kinds/build.js';
import { hideCounterexample, plantedMargin } from './hidden-counterexample.js';

it.each([0, 1, 2])('seed %i: the attack misses the planted point, and no method verifies the image', async (seed) => {
  const device = await cpuDevice();
  const network = await hideCounterexample({ device, seed });
  expect(device.live).toBe(0);
  const { model, image, label, epsilon, counterexample, range } = network;
  const { point } = counterexample;

  // Real: in the ball, and misclassified over the real numbers and under every execution.
  expect(contains(network, point)).toBe(true);
  expect(network.refutesReal).toBe(true);
  expect(plantedMargin(network)).toBeLessThan(-0.4);
  const run = executor(network);
  for (const execution of manyExecutions(createRng(seed), 50)) {
    expect(marginOf(run(point, execution), label)).toBeLessThan(-0.4);
  }
  // Far from the image in every coordinate.
  point.forEach((x, i) => void expect(Math.abs(x - image[i]!)).toBeGreaterThanOrEqual(0.979 * epsilon));

  const params = putParams(device, network.params);
  const results: ImageResult[] = [];
  for await (const result of certify({
    ...{ device, model, weights: { params, stats: {} }, perturbation: linf({ epsilon, range }) },
    images: [{ index: 0, pixels: image, label }],
    verifiers: [boundVerifier(ibp), boundVerifier(crownIbp), crownVerifier()],
    ...{ attack: { steps: 40, restarts: 3 }, batchSize: 1, complete: true },
  })) {
    results.push(result);
  }
  disposeTree(params);
  await device.dispose();
  const [{ prediction, attack, lower, verifiedBy }] = results as [ImageResult];
  expect(prediction).toBe(label);
  expect(attack?.margin).toBeGreaterThan(0);
  expect(verifiedBy).toBeNull();
  for (const method of ['ibp', 'crown-ibp', 'crown']) expect(lower[method]).toBeLessThan(0);
  const bounds = await referenceIbp()(network, network, 'real');
  expect(bounds.lower[0]! - bounds.upper![1]!).toBeLessThan(0);
});

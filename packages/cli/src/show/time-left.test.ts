import { type RunEvent, resolveConfig } from '@cert/trainer/pipeline';
import { expect, it } from 'vitest';
import { duration, radius, radiusInFull } from './quantities.js';
import { timeLeft } from './time-left.js';

const config = { ...resolveConfig(), attackSteps: 10, attackRestarts: 1 };
const start: RunEvent = {
  ...{ type: 'start', folder: 'r', config, parameters: 1, trainImages: 400, testImages: 100, epochs: 3 },
  ...{ stepsPerEpoch: 4, step: 0, device: { name: 'cpu', description: '', reason: '' } },
};
const numbers = {
  epsilon: 0.1,
  learningRate: 1,
  images: 100,
  metrics: { loss: 1, naturalLoss: 1, error: 0, gradNorm: 1 },
};
const test = { images: 100, epsilon: 0.1, standardError: 0, pgdError: null, verifiedError: 0 };

it('counts the steps that are left, the evaluation after each epoch, and that at the end', () => {
  let now = 0;
  const clock = timeLeft(() => now);
  clock.see(start);
  now += 60;
  clock.see({ type: 'step', step: 1, epoch: 1, ...numbers });
  // The first step is compiled, and says nothing of the others.
  expect(clock.left()).toBeUndefined();
  for (const step of [2, 3, 4]) {
    now += 3;
    clock.see({ type: 'step', step, epoch: 1, ...numbers });
  }
  // 8 steps of 3 s; an evaluation of 1 s is expected, a third of a step: 3 of them, one at the end, 10 steps of the attack.
  expect(clock.left()).toBeCloseTo(8 * 3 + 3 + 1 + 10);
  now += 0.5;
  clock.see({ type: 'epoch', step: 4, epoch: 1, trainSeconds: 69, test, ...numbers });
  expect(clock.left()).toBeCloseTo(8 * 3 + 2 * 0.5 + 0.5 + 10 * 0.5);
  now += 2;
  expect(clock.left()).toBeCloseTo(8 * 3 + 2 * 0.5 + 0.5 + 10 * 0.5 - 2);
  expect(clock.speed()).toBeCloseTo(100 / 3);
});

it('writes times and radii as people do', () => {
  expect([0, 59.6, 3600, 100 * 3600 + 62].map(duration)).toEqual(['0:00:00', '0:01:00', '1:00:00', '100:01:02']);
  expect([8 / 255, 2 / 255, 0.1, 0.2, 0.0123456, 0, 1].map((epsilon) => radius(epsilon))).toEqual([
    ...['8/255', '2/255', '0.1', '0.2', '0.01235', '0', '1'],
  ]);
  expect([8 / 255, 0.3].map(radiusInFull)).toEqual(['8/255 (0.0314)', '0.3']);
});

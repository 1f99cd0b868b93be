import { tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { historyChart } from '../src/moons/history-chart.js';
import { createLearner, type Learner } from '../src/moons/learner.js';
import { GRID, gridPoints, scoreAt } from '../src/moons/plane.js';
import { twoMoons } from '../src/moons/points.js';
import { openDevice } from './networks.js';

const points = twoMoons({ count: 60, noise: 0.05, seed: 1 });

describe('twoMoons', () => {
  it('gives points of the unit square, as many of each class, the same for the same seed', () => {
    expect([points.count, points.labels.filter((label) => label === 1).length]).toEqual([60, 30]);
    expect(points.images.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(twoMoons({ count: 60, noise: 0.05, seed: 1 })).toEqual(points);
    expect(twoMoons({ count: 60, noise: 0.05, seed: 2 }).images).not.toEqual(points.images);
  });

  it('gives half circles without noise, one above the other', () => {
    const { images, labels } = twoMoons({ count: 200, noise: 0, seed: 0 });
    for (let i = 0; i < 200; i++) {
      // Back to the coordinates in which a moon has the radius 1.
      const [x, y] = [((images[2 * i]! - 0.12) / 0.76) * 3 - 1, ((images[2 * i + 1]! - 0.18) / 0.64) * 1.5 - 0.5];
      expect(labels[i] === 0 ? Math.hypot(x, y) : Math.hypot(x - 1, y - 0.5)).toBeCloseTo(1, 5);
    }
  });
});

describe('learner', () => {
  const target = 0.04;
  const verified = async (learner: Learner) => (await learner.verified(target, 'ibp')).filter(Boolean).length;

  it('verifies more points after certified training than after plain training', async () => {
    const device = await openDevice();
    const tensors = tf.memory().numTensors;
    const options = { target, seed: 0 };
    const [certified, plain] = (['certified', 'plain'] as const).map((training) =>
      createLearner(device, points, { ...options, training }),
    );
    // The same weights at first.
    expect(await certified!.scores(points.images as Float32Array)).toEqual(
      await plain!.scores(points.images as Float32Array),
    );
    for (const learner of [certified!, plain!]) for (let epoch = 1; epoch <= 80; epoch++) await learner.advance();
    expect([certified!.epoch, certified!.epsilon, plain!.epsilon]).toEqual([80, target, 0]);
    expect(plain!.loss).toBeLessThan(0.2);
    expect(await verified(certified!)).toBeGreaterThan(await verified(plain!));
    for (const learner of [certified!, plain!]) await learner.dispose();
    expect([device.live, tf.memory().numTensors]).toEqual([0, tensors]);
  });

  it('rests at the end of training, and still answers', async () => {
    const device = await openDevice();
    const learner = createLearner(device, points, { training: 'plain', target, seed: 0 });
    for (let epoch = 0; epoch < 123; epoch++) await learner.advance();
    expect(learner.epoch).toBe(120);
    expect(await learner.verified(0, 'crown-ibp')).toHaveLength(60);
    await learner.dispose();
    expect(device.live).toBe(0);
  });
});

describe('plane', () => {
  it('interpolates between the places of the grid', () => {
    const grid = gridPoints();
    // A linear function is its own interpolation; y points upwards, down does not.
    const scores = Float32Array.from({ length: GRID * GRID }, (_, i) => 2 * grid[2 * i]! - 3 * grid[2 * i + 1]! + 1);
    for (const [x, y] of [
      [0, 0],
      [0.333, 0.77],
      [1, 1],
    ] as const) {
      expect(scoreAt(scores, x, 1 - y)).toBeCloseTo(2 * x - 3 * y + 1, 5);
    }
  });
});

it('draws the history of verified points', () => {
  const options = { count: 60, epochs: 120, width: 300 };
  expect(historyChart([], options)).toContain('No epoch yet');
  const chart = historyChart([{ epoch: 1, verified: [30, 15] }], options);
  expect(chart).toContain('30 of 60 points verified with certified training, 15 with plain training');
});

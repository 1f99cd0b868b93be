import { dense, sequential, type Tensor, type Tensor2D, tf, toTensors } from '@cert/core';
import { ibpInit } from '@cert/init';
import { mlp } from '@cert/models';
import { describe, expect, it } from 'vitest';
import { attackStepSize, createAttackStep, randomStart } from './step.js';

const values = (tensor: Tensor) => [...tensor.dataSync()];
const scalars = (epsilon: number, stepSize: number) => ({ epsilon: tf.scalar(epsilon), stepSize: tf.scalar(stepSize) });

describe('createAttackStep', () => {
  it('moves each pixel against its influence on the margin, inside the clipped ball', () => {
    // The margin of class 0 is 2 (x0 - x1 + 0 x2).
    const model = sequential([3], [dense(2)]);
    const network = {
      params: {
        dense1: {
          kernel: tf.tensor2d([
            [1, -1],
            [-1, 1],
            [0, 0],
          ]),
          bias: tf.zeros([2]),
        },
      },
      stats: {},
    };
    const images = tf.tensor2d([[0.5, 0.95, 0.3]]);
    const labels = tf.tensor1d([0], 'int32');
    const step = createAttackStep(model);
    const first = step(network, { images, labels }, images, scalars(0.1, 0.06));
    expect(values(first.logits).map((x) => Number(x.toFixed(5)))).toEqual([-0.45, 0.45]);
    expect(values(first.point).map((x) => Number(x.toFixed(5)))).toEqual([0.44, 1, 0.3]);
    const second = step(network, { images, labels }, first.point, scalars(0.1, 0.06));
    expect(values(second.point).map((x) => Number(x.toFixed(5)))).toEqual([0.4, 1, 0.3]);
  });

  it('does not stall where the cross-entropy has no gradient left', () => {
    const model = sequential([1], [dense(2)]);
    const network = { params: { dense1: { kernel: tf.tensor2d([[500, -500]]), bias: tf.zeros([2]) } }, stats: {} };
    const batch = { images: tf.tensor2d([[0.9]]), labels: tf.tensor1d([0], 'int32') };
    const { point } = createAttackStep(model)(network, batch, batch.images, scalars(0.1, 0.05));
    expect(values(point)[0]).toBeCloseTo(0.85, 6);
  });

  it('finds a smaller margin than random points do', () => {
    const model = mlp({ inputShape: [6], classes: 3, hidden: [12] });
    const network = { params: toTensors(ibpInit(model, 5)), stats: {} };
    const images = Float32Array.from({ length: 6 * 8 }, (_, i) => ((i * 7) % 11) / 11);
    const labels = tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32');
    const batch = { images: tf.tensor2d(images, [8, 6]), labels };
    const step = createAttackStep(model);
    const margins = (logits: Tensor) => {
      const rows = (logits as Tensor2D).arraySync();
      return rows.map((row, i) => row[i % 3]! - Math.max(...row.filter((_, j) => j !== i % 3)));
    };
    const best = (from: number[][]) => from[0]!.map((_, i) => Math.min(...from.map((row) => row[i]!)));
    const random = Array.from({ length: 60 }, (_, restart) => {
      const start = randomStart(images, { epsilon: 0.2, size: 6, first: 0, seed: 1, restart });
      return margins(step(network, batch, tf.tensor2d(start, [8, 6]), scalars(0.2, 0)).logits);
    });
    let point: Tensor = batch.images;
    const attacked = Array.from({ length: 20 }, () => {
      const next = step(network, batch, point, scalars(0.2, attackStepSize(0.2, 20)));
      point = next.point;
      return margins(next.logits);
    });
    best(attacked).forEach((margin, i) => {
      expect(margin).toBeLessThanOrEqual(best(random)[i]! + 1e-6);
    });
  });
});

describe('randomStart', () => {
  const start = (first: number, images: number[], restart = 0) => [
    ...randomStart(Float32Array.from(images), { epsilon: 0.1, size: 2, first, seed: 3, restart }),
  ];

  it('stays in the ball and depends on the position of the image alone', () => {
    const all = start(0, [0.5, 0.5, 0.2, 0.8]);
    expect(start(1, [0.2, 0.8])).toEqual(all.slice(2));
    expect(start(0, [0.5, 0.5, 0.2, 0.8], 1)).not.toEqual(all);
    [0.5, 0.5, 0.2, 0.8].forEach((x, i) => {
      expect(Math.abs(all[i]! - x)).toBeLessThanOrEqual(0.1 + 1e-7);
    });
  });
});

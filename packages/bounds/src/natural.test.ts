import {
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  initialStats,
  linfBall,
  relu,
  type Shape,
  sequential,
  sizeOf,
  tf,
  toTensors,
} from '@cert/core';
import { checkGradient } from '@cert/testing';
import { describe, expect, it } from 'vitest';
import { batchMoments, ibp, naturalPass, runningNorm, updateRunning } from './index.js';

const rng = createRng(1, 'natural.test');
const random = (shape: Shape) =>
  tf.tensor(
    Array.from({ length: sizeOf(shape) }, () => 3 + 2 * rng.normal()),
    [...shape],
  );
const close = (values: number[], digits = 5) => values.map((v) => expect.closeTo(v, digits));

/** Mean, sum of squared deviations and count per channel, in double precision. */
function plainMoments(data: ArrayLike<number>, channels: number) {
  const columns = Array.from({ length: channels }, (_, c) => Array.from(data).filter((_v, i) => i % channels === c));
  return columns.map((x) => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    return { mean, squares: x.reduce((sum, v) => sum + (v - mean) ** 2, 0), count: x.length };
  });
}

describe('batchMoments', () => {
  it.each<[Shape]>([[[7, 3]], [[2, 4, 5, 3]], [[1, 2]]])(
    'of shape %j are the mean and the biased variance',
    (shape) => {
      const x = random(shape);
      const plain = plainMoments(x.dataSync(), shape.at(-1)!);
      const { mean, variance } = batchMoments(x);
      expect([...mean.dataSync()]).toEqual(close(plain.map((m) => m.mean)));
      expect([...variance.dataSync()]).toEqual(close(plain.map((m) => m.squares / m.count)));
    },
  );

  it('do not cancel around a large mean', () => {
    const { variance } = batchMoments(tf.tensor2d([[4096], [4097], [4098]]));
    expect(variance.dataSync()[0]).toBeCloseTo(2 / 3, 5);
  });
});

describe('gradients through batch statistics', () => {
  it('batchMoments', async () => {
    const x = random([2, 2, 3, 2]);
    await checkGradient(
      (y) => {
        const { mean, variance } = batchMoments(y!);
        return tf.concat([mean, variance]);
      },
      [x],
    );
  });

  it('flow from the bounds of ibp into the images and the layers before', async () => {
    const model = sequential([3], [dense(4), batchNorm(), relu(), dense(2)]);
    const [images, kernel, gamma] = [random([5, 3]), random([3, 4]), random([4])];
    await checkGradient(
      (x, w, scale) => {
        const params = {
          dense1: { kernel: w!, bias: tf.zeros([4]) },
          batchNorm1: { gamma: scale!, beta: tf.tensor1d([0.5, -0.5, 1, 0]) },
          dense2: {
            kernel: tf.tensor2d([
              [1, -1],
              [2, 0.5],
              [-1, 1],
              [0.5, 2],
            ]),
            bias: tf.zeros([2]),
          },
        };
        const { norm } = naturalPass({ model, params, norm: 'batch' }, x!);
        const { lower, upper } = ibp.bound({ network: { model, params, norm }, box: linfBall(x!, 0.1, null) }).output;
        return tf.concat([lower, upper]);
      },
      [images, kernel, gamma],
      { names: ['images', 'kernel', 'gamma'] },
    );
  });
});

describe('naturalPass', () => {
  const model = sequential([2, 2, 1], [conv2d(2), batchNorm({ momentum: 0.25 }), flatten(), dense(2)]);
  const params = {
    conv2d1: { kernel: random([3, 3, 1, 2]), bias: random([2]) },
    batchNorm1: { gamma: tf.tensor1d([1, 1]), beta: tf.tensor1d([0, 0]) },
    dense1: { kernel: random([8, 2]), bias: random([2]) },
  };
  const images = random([3, 2, 2, 1]);

  it('with batch statistics normalizes the batch and returns the statistics', () => {
    const { at, norm, output } = naturalPass({ model, params, norm: 'batch' }, images);
    const normalized = plainMoments(at.batchNorm1!.dataSync(), 2);
    expect(normalized.map((m) => m.mean)).toEqual(close([0, 0], 4));
    expect(normalized.map((m) => m.squares / m.count)).toEqual(close([1, 1], 3));
    const before = plainMoments(at.conv2d1!.dataSync(), 2);
    expect([...norm.batchNorm1!.mean.dataSync()]).toEqual(
      close(
        before.map((m) => m.mean),
        4,
      ),
    );
    expect(at.input).toBe(images);
    expect(output.shape).toEqual([3, 2]);
  });

  it('with running statistics uses these', () => {
    const stats = toTensors(initialStats(model));
    const { at, norm } = naturalPass({ model, params, norm: runningNorm(stats) }, images);
    const expected = [...at.conv2d1!.dataSync()].map((v) => v / Math.sqrt(1 + 1e-5));
    expect([...at.batchNorm1!.dataSync()]).toEqual(close(expected, 4));
    expect(norm.batchNorm1!.mean).toBe(stats.batchNorm1!.mean);
  });

  it('updateRunning takes the unbiased variance, with the momentum of the node', () => {
    const stats = { batchNorm1: { mean: tf.tensor1d([1, -1]), variance: tf.tensor1d([2, 3]) } };
    const { at, norm } = naturalPass({ model, params, norm: 'batch' }, images);
    const updated = updateRunning(model, stats, norm, 3);
    const plain = plainMoments(at.conv2d1!.dataSync(), 2);
    expect(plain[0]!.count).toBe(12);
    expect([...updated.batchNorm1!.mean!.dataSync()]).toEqual(
      close(
        plain.map((m, c) => 0.75 * [1, -1][c]! + 0.25 * m.mean),
        4,
      ),
    );
    expect([...updated.batchNorm1!.variance!.dataSync()]).toEqual(
      plain.map((m, c) => {
        const value = 0.75 * [2, 3][c]! + (0.25 * m.squares) / (m.count - 1);
        return expect.closeTo(value, 3);
      }),
    );
    expect([...stats.batchNorm1.mean.dataSync()]).toEqual([1, -1]);
  });

  it('updateRunning of a single value stays finite', () => {
    const flat = sequential([2], [dense(2), batchNorm()]);
    const norm = { batchNorm1: { mean: tf.tensor1d([1, 2]), variance: tf.tensor1d([0, 0]) } };
    const { batchNorm1 } = updateRunning(flat, toTensors(initialStats(flat)), norm, 1);
    expect([...batchNorm1!.variance!.dataSync()]).toEqual(close([0.9, 0.9]));
  });
});

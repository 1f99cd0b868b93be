import {
  type Batch,
  batchNorm,
  buildParams,
  createRng,
  dense,
  filledTensor,
  flattenTree,
  type Model,
  paramSpecs,
  relu,
  sequential,
  type Tensor,
  type TrainBatch,
  tf,
  toTensors,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { tightness } from '@cert/regularizers';
import { describe, expect, it } from 'vitest';
import { afterGradients, joinParts, partSizes, splitBatch } from './accumulate.js';
import { naturalObjective } from './objectives/natural.js';
import { robustObjective } from './objectives/robust.js';
import { sgd } from './optimizers/sgd.js';
import { initialState } from './state.js';
import { createTrainStep, type TrainStepOptions } from './step.js';

describe('partSizes', () => {
  it.each([
    [6, 2, [3, 3]],
    [7, 2, [4, 3]],
    [7, 3, [3, 2, 2]],
    [2, 4, [1, 1]],
    [0, 2, [0]],
    [5, 1, [5]],
  ])('%i images in %i parts', (count, parts, wanted) => {
    expect(partSizes(count, parts)).toEqual(wanted);
  });
});

describe('afterGradients', () => {
  it('needs the gradients and changes nothing', () => {
    const part = { images: tf.tensor2d([[0.1, 0.7]]), labels: tf.tensor1d([1], 'int32') };
    expect(afterGradients(part, undefined)).toBe(part);
    const grads = { dense1: { kernel: tf.tensor2d([[-3, 1e30]]), bias: tf.tensor1d([2]) } };
    const waiting = afterGradients(part, grads);
    expect([...waiting.images.dataSync()]).toEqual([...part.images.dataSync()]);
    expect(waiting.labels).toBe(part.labels);
  });
});

describe('joinParts', () => {
  it('weights means by the images and adds counts', () => {
    const part = (loss: number, errors: number) => ({ loss: tf.scalar(loss), errors: tf.scalar(errors) });
    const { loss, errors } = joinParts([part(1, 2), part(4, 1)], [2, 1], (path) => path === 'errors');
    expect([loss.dataSync()[0], errors.dataSync()[0]]).toEqual([2, 3]);
  });
});

describe('a step in parts', () => {
  const rng = createRng(1, 'parts');
  const batch: Batch = {
    images: tf.tensor2d(Float32Array.from({ length: 7 * 4 }, rng.uniform), [7, 4]),
    labels: tf.tensor1d([0, 1, 0, 1, 1, 0, 0], 'int32'),
  };
  const hyper = { learningRate: tf.scalar(0.5), epsilon: tf.scalar(0.05), regWeight: tf.scalar(0.3) };
  const run = (model: Model, options: Partial<TrainStepOptions>, of: TrainBatch = batch) =>
    createTrainStep({ model, objective: robustObjective(), optimizer: sgd(), clipNorm: null, ...options })(
      toTensors(initialState(model, ibpInit(model, 3), sgd())),
      of,
      hyper,
    );
  const numbers = (tree: object) =>
    Object.fromEntries(flattenTree<Tensor>(tree as never).map(({ path, value }) => [path, [...value.dataSync()]]));
  const expectClose = (got: object, wanted: object) => {
    const expected = numbers(wanted);
    for (const [path, values] of Object.entries(numbers(got))) {
      values.forEach((value, i) => {
        expect(value, path).toBeCloseTo(expected[path]![i]!, 5);
      });
    }
  };

  it.each([1, 2, 3, 7, 20])('is the whole step without BatchNorm, in %i parts', (parts) => {
    const model = sequential([4], [dense(6), relu(), dense(2)]);
    // The bound tightness of a layer is a ratio of means over the batch, and so no mean over images: no regularizers here.
    for (const clipNorm of [null, 0.01]) {
      const whole = run(model, { clipNorm });
      const split = run(model, { clipNorm, parts });
      expectClose(split.state, whole.state);
      expectClose(split.metrics, whole.metrics);
    }
  });

  it.each([1, 2, 3, 7])('weights examples as the whole step does, in %i parts', (parts) => {
    const model = sequential([4], [dense(6), relu(), dense(2)]);
    const weighted = { ...batch, weights: tf.tensor1d([2, 0, 0, 3, 0.5, 1, 0.5]) };
    const whole = run(model, {}, weighted);
    expectClose(run(model, { parts }, weighted).state, whole.state);
    // As a batch in which examples occur as often as their weights say.
    const rows = [0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 4, 5, 5, 6];
    const repeated = { images: tf.gather(batch.images, rows), labels: tf.gather(batch.labels, rows) };
    expectClose(whole.state, run(model, {}, repeated).state);
  });

  it('refuses weights that the objective would ignore', () => {
    const model = sequential([4], [dense(2)]);
    const { weighted: _, ...plain } = robustObjective();
    const weights = tf.ones([7]);
    expect(() => run(model, { objective: plain }, { ...batch, weights })).toThrow(
      /The objective robust does not weight examples, but the batches have weights\./,
    );
  });

  it('gives each part its own statistics with BatchNorm, and updates the running ones part after part', () => {
    const model = sequential([1], [batchNorm(), dense(2)]);
    const params = () =>
      buildParams(paramSpecs(model), ({ shape, name }) => filledTensor(shape, name === 'beta' ? 0 : 1));
    const images = tf.tensor2d([[0], [1], [0.5]]);
    const optimizer = sgd();
    const step = createTrainStep({ model, objective: naturalObjective, optimizer, parts: 2 });
    const { state } = step(
      toTensors(initialState(model, params(), optimizer)),
      { images, labels: tf.tensor1d([0, 1, 0], 'int32') },
      hyper,
    );
    // Parts {0, 1} and {0.5}: means 0.5 and 0.5; unbiased variances 0.5 and, of one value, 0. Momentum 0.1, from 0 and 1.
    const { mean, variance } = state.stats.batchNorm1!;
    expect(mean!.dataSync()[0]).toBeCloseTo(0.9 * (0.1 * 0.5) + 0.1 * 0.5, 6);
    expect(variance!.dataSync()[0]).toBeCloseTo(0.9 * (0.9 * 1 + 0.1 * 0.5) + 0.1 * 0, 6);
  });

  it('averages the gradients of the parts, BatchNorm and regularizers included', () => {
    const model = sequential([4], [dense(6), batchNorm(), relu(), dense(2)]);
    const options = { regularizers: [tightness()] };
    const whole = run(model, { ...options, parts: 2 });
    const parts = splitBatch(batch, [4, 3]).map((part) => run(model, options, part));
    const moved = (i: number) => numbers(parts[i]!.state.params);
    const mean = Object.fromEntries(
      Object.entries(moved(0)).map(([path, values]) => [
        path,
        values.map((value, k) => (4 * value + 3 * moved(1)[path]![k]!) / 7),
      ]),
    );
    // Without clipping, plain gradient descent moves by the gradient: the mean of the moves is the move of the mean.
    for (const [path, values] of Object.entries(numbers(whole.state.params))) {
      values.forEach((value, k) => {
        expect(value, path).toBeCloseTo(mean[path]![k]!, 5);
      });
    }
    const [first, second] = parts.map(({ metrics }) => numbers(metrics));
    const joined = numbers(whole.metrics);
    expect(joined.errors![0]).toBe(first!.errors![0]! + second!.errors![0]!);
    expect(joined.unverified![0]).toBe(first!.unverified![0]! + second!.unverified![0]!);
    expect(joined['terms.tightness']![0]).toBeCloseTo(
      (4 * first!['terms.tightness']![0]! + 3 * second!['terms.tightness']![0]!) / 7,
      5,
    );
  });
});

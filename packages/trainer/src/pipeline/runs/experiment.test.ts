import type { HostBatch } from '@cert/core';
import type { Dataset, Split } from '@cert/datasets';
import { describe, expect, it } from 'vitest';
import { type Choices, resolveConfig } from '../config/preset.js';
import { buildExperiment, loadData } from './experiment.js';

const split: Split = {
  shape: [8, 8, 1],
  classes: 3,
  count: 4,
  images: new Uint8Array(4 * 64),
  scale: 1 / 255,
  labels: new Uint8Array(4),
};
const dataset: Dataset = { name: 'grey', train: split, test: split, range: { min: 0, max: 1 } };

const build = (choices: Choices, data: Parameters<typeof buildExperiment>[1] = dataset) =>
  buildExperiment(resolveConfig(choices), data);

describe('buildExperiment', () => {
  it('puts BatchNorm where it is asked for', () => {
    const batchNorms = (batchNorm: 'none' | 'conv' | 'full' | null) => {
      const { model } = build({ model: 'cnn7', width: 2, dense: 4, batchNorm });
      return model.nodes.filter(({ op }) => op === 'batchNorm').length;
    };
    expect(([null, 'none', 'conv', 'full'] as const).map(batchNorms)).toEqual([6, 0, 5, 6]);
  });

  it.each([
    ['natural', ['natural', 'natural', 'natural']],
    ['pgd', ['pgd', 'pgd', 'pgd']],
    ['vanilla', ['natural', 'robust', 'robust']],
    ['fast', ['natural', 'robust', 'robust']],
    ['crown-ibp', ['natural', 'crown-ibp-fused', 'robust']],
    ['stability', ['natural', 'robust', 'robust']],
    ['volume', ['natural', 'robust', 'robust']],
  ])('%s minimizes %o over the ramp', (method, names) => {
    const { plan } = build({ method });
    expect([0, 0.5, 1].map((ramp) => plan.objective(ramp).name)).toEqual(names);
  });

  it('computes population statistics from every training image once, as it is, in another order and in batches as BatchNorm sees them', () => {
    const count = 9;
    const train = {
      ...split,
      count,
      images: Uint8Array.from({ length: count * 64 }, (_, i) => i),
      labels: new Uint8Array(count),
    };
    const { populationBatches } = build({ batchSize: 8, accumulate: 2, augment: 'flip' }, { ...dataset, train });
    const found = [...populationBatches()];
    expect(found.map(({ labels }) => labels.length)).toEqual([4, 4, 1]);
    const firsts = found.flatMap(({ images }) =>
      Array.from({ length: images.length / 64 }, (_, i) => Math.round(255 * images[64 * i]!)),
    );
    const inOrder = Array.from({ length: count }, (_, i) => (64 * i) % 256);
    expect(firsts).not.toEqual(inOrder);
    expect(firsts.sort((a, b) => a - b)).toEqual(inOrder.sort((a, b) => a - b));
  });

  it('takes a batch in the parts, and with the seed, of the configuration', () => {
    expect(build({ accumulate: 3, seed: 5 })).toMatchObject({ parts: 3, seed: 5 });
  });

  it('has the learning rate of its schedule', () => {
    const rates = (choices: Choices) => {
      const { plan, epochs, stepsPerEpoch } = build({ learningRate: 1, epochs: 4, ...choices });
      return Array.from({ length: epochs }, (_, epoch) => plan.learningRate(epoch * stepsPerEpoch));
    };
    expect(rates({ milestones: [2], learningRateFactor: 0.5 })).toEqual([1, 1, 0.5, 0.5]);
    expect(rates({ rateSchedule: 'cosine' })).toEqual([0, 1, 2, 3].map((i) => (1 + Math.cos((Math.PI * i) / 4)) / 2));
    expect(rates({ rateSchedule: 'cosine', rateWarmup: 2 })[2]).toBe(1);
    expect(rates({ rateSchedule: 'one-cycle' }).at(-1)).toBeCloseTo(1 / 25e4, 12);
  });

  it.each(['natural', 'pgd'])('%s has the target radius from the first step on', (method) => {
    const { plan, epochs, stepsPerEpoch } = build({ method });
    for (let step = 0; step < epochs * stepsPerEpoch; step++) expect(plan.epsilon(step)).toBe(0.1);
  });

  it('weights regularizers over the warmup or throughout, each by its own weight', () => {
    const weights = (choices: Choices) => {
      const { plan, regularizers, stepsPerEpoch } = build(choices);
      return {
        names: regularizers.map(({ name }) => name),
        weights: [0, 0.5, 1].map(plan.regWeight),
        epochs: plan.regularizedSteps / stepsPerEpoch,
      };
    };
    // The ramp of digits/quick ends after epoch 6.
    const fast = { names: ['tightness', 'relu-balance'], weights: [0.5, 0.25, 0], epochs: 6 };
    expect(weights({})).toEqual(fast);
    expect(weights({ regularizers: ['tightness', '0.1*l1'] })).toEqual({ ...fast, names: ['tightness', '0.1 * l1'] });
    expect(weights({ method: 'stability' })).toEqual({
      names: ['relu-stability', 'l1'],
      weights: [1e-5, 1e-5, 1e-5],
      epochs: Number.POSITIVE_INFINITY,
    });
    expect(weights({ method: 'vanilla' }).epochs).toBe(0);
    expect(weights({ regWeight: 0 }).epochs).toBe(0);
  });

  it('lets the model normalize as the dataset says', () => {
    const { model } = build({}, { ...dataset, normalize: { mean: [0.5], std: [0.25] } });
    expect(model.nodes[0]).toMatchObject({ name: 'normalize', op: 'affine', attrs: { scale: [4], shift: [-2] } });
    expect(build({}).model.nodes[0]!.op).toBe('conv2d');
  });

  it('augments the training images as the dataset says, and only them', async () => {
    const images = Uint8Array.from({ length: 4 * 64 }, (_, i) => i);
    const data = {
      ...dataset,
      train: { ...split, images },
      test: { ...split, images },
      augment: { flip: true, crop: 1 },
    };
    const pixels = async (list: Iterable<HostBatch> | AsyncIterable<HostBatch>) => {
      const values: number[] = [];
      for await (const batch of list) values.push(...batch.images);
      return values;
    };
    const { augment: _, ...plain } = data;
    const [augmented, as] = [build({ batchSize: 2 }, data), build({ batchSize: 2 }, plain)];
    expect(await pixels(augmented.batches(1, 0))).not.toEqual(await pixels(as.batches(1, 0)));
    expect(await pixels(augmented.batches(1, 0))).toEqual(await pixels(augmented.batches(1, 0)));
    expect(await pixels(augmented.testBatches())).toEqual(Array.from(images, (v) => Math.fround(v / 255)));
  });
});

describe('validation', () => {
  /** 30 images of 3 classes, and 4 test images; each image is its number. */
  const numbered = (count: number, first: number): Split => ({
    ...{ shape: [1, 1, 1], classes: 3, count, scale: 1 / 255 },
    images: Uint8Array.from({ length: count }, (_, i) => first + i),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 3),
  });
  const data: Dataset = { ...dataset, train: numbered(30, 0), test: numbered(4, 100) };
  const numbers = (list: Iterable<HostBatch>) => [...list].flatMap(({ images }) => [...images].map((v) => 255 * v));
  const monitored = (choices: Choices, other = data) =>
    numbers(build({ model: 'mlp', width: 2, dense: 2, ...choices }, other).monitored.batches()).map(Math.round);

  it('is none by default: epochs are tested on the test images', () => {
    const experiment = build({ model: 'mlp' }, data);
    expect(experiment.monitored).toMatchObject({ name: 'test', split: { count: 4 } });
    expect(experiment.trainImages).toBe(30);
  });

  it('holds out a share of each class, which is not trained on, by the seed alone', () => {
    const experiment = build({ model: 'mlp', validation: 0.2, batchSize: 8, seed: 3 }, data);
    const held = numbers(experiment.monitored.batches()).map(Math.round);
    expect(experiment).toMatchObject({ trainImages: 24, testImages: 4, stepsPerEpoch: 3 });
    expect(held.map((i) => i % 3).sort()).toEqual([0, 0, 1, 1, 2, 2]);
    const trained = numbers(experiment.batches(1, 0) as Iterable<HostBatch>).map(Math.round);
    expect([...held, ...trained].sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(numbers(experiment.testBatches()).map(Math.round)).toEqual([100, 101, 102, 103]);
    expect(monitored({ validation: 0.2, seed: 3, epochs: 2, method: 'vanilla' })).toEqual(held);
    expect(monitored({ validation: 0.2, seed: 4 })).not.toEqual(held);
  });

  it('is the latest rows of data that are split by time', () => {
    const trainTimes = Array.from({ length: 30 }, (_, i) => (7 * i) % 30);
    expect(monitored({ validation: 0.1 }, { ...data, trainTimes }).map((i) => trainTimes[i])).toEqual([28, 29, 27]);
  });

  it('has no part in moments of the training images', () => {
    const train = { ...data.train, images: data.train.images.map((_, i) => (i === 29 ? 255 : i % 2)) };
    const trainTimes = Array.from({ length: 30 }, (_, i) => i);
    const normalized = (validation: number) =>
      build({ model: 'mlp', normalize: 'data', validation }, { ...data, train, trainTimes }).model.nodes[0]!.attrs;
    expect(normalized(0)).not.toEqual(normalized(0.1));
    // 27 values, 0 and 1 in turn from 0.
    const [mean, std] = [13 / 27, Math.sqrt((13 * 14) / 27 ** 2)];
    const { scale, shift } = normalized(0.1) as { readonly scale: number[]; readonly shift: number[] };
    expect(scale[0]).toBeCloseTo(255 / std, 6);
    expect(shift[0]).toBeCloseTo(-mean / std, 6);
  });
});

describe('loadData', () => {
  it('asks for the folder of image-folder', async () => {
    await expect(loadData({ dataset: 'image-folder', data: null, limit: null })).rejects.toMatchObject({
      code: 'bad-argument',
      cure: expect.stringContaining('--data FOLDER'),
    });
  });
});

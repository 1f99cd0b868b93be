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

describe('loadData', () => {
  it('asks for the folder of image-folder', async () => {
    await expect(loadData({ dataset: 'image-folder', data: null, limit: null })).rejects.toMatchObject({
      code: 'bad-argument',
      cure: expect.stringContaining('--data FOLDER'),
    });
  });
});

import type { Dataset, Split } from '@cert/datasets';
import { describe, expect, it } from 'vitest';
import { buildExperiment, loadData } from './experiment.js';
import type { HostBatch } from './host.js';
import { type Choices, resolveConfig } from './preset.js';

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
const ops = (choices: Choices) => build(choices).model.nodes.map(({ op }) => op);
const batchNorms = (choices: Choices) => ops(choices).filter((op) => op === 'batchNorm').length;

describe('buildExperiment', () => {
  it.each([
    ['cnn7', { null: 6, none: 0, conv: 5, full: 6 }],
    ['small-conv', { null: 3, none: 0, full: 3 }],
    ['mlp', { null: 2, none: 0, full: 2 }],
  ] as const)('puts BatchNorm into %s where it is asked for', (model, wanted) => {
    for (const [place, count] of Object.entries(wanted)) {
      const batchNorm = place === 'null' ? null : place;
      expect([place, batchNorms({ model, width: 2, dense: 4, batchNorm })]).toEqual([place, count]);
    }
  });

  it('refuses a place that the architecture has no choice for', () => {
    expect(() => batchNorms({ model: 'mlp', batchNorm: 'conv' })).toThrow(
      expect.objectContaining({
        code: 'bad-argument',
        problem: 'mlp has no choice of BatchNorm "conv".',
        cure: expect.stringContaining('Give --bn none or --bn full'),
      }),
    );
  });

  it('lets the model normalize as the dataset says', () => {
    const { model } = build({}, { ...dataset, normalize: { mean: [0.5], std: [0.25] } });
    expect(model.nodes[0]).toMatchObject({ name: 'normalize', op: 'affine', attrs: { scale: [4], shift: [-2] } });
    expect(build({}).model.nodes[0]!.op).toBe('conv2d');
  });

  it('augments the training images as the dataset says, and only them', async () => {
    const images = Uint8Array.from({ length: 4 * 64 }, (_, i) => i);
    const data = { ...dataset, train: { ...split, images }, test: { ...split, images }, augment: { flip: true, crop: 1 } };
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

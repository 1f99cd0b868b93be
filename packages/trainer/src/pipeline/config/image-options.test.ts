import { arrayDataset } from '@cert/datasets';
import { describe, expect, it } from 'vitest';
import { augmentationOf, NORMALIZATIONS } from './image-options.js';
import { resolveConfig } from './preset.js';

describe('--augment', () => {
  const usual = { flip: true, crop: 2 };

  it.each([
    ['usual', usual],
    ['none', undefined],
    ['flip', { flip: true, crop: 0 }],
    ['crop:4', { flip: false, crop: 4 }],
    ['flip,crop:12', { flip: true, crop: 12 }],
  ])('%s', (augment, expected) => {
    expect(augmentationOf(resolveConfig({ augment }).augment, usual)).toEqual(expected);
  });

  it.each(['', 'crop', 'crop:-1', 'crop:4,flip', 'mirror'])('%j is an error', (augment) => {
    expect(() => resolveConfig({ augment })).toThrow(`--augment is ${JSON.stringify(augment)}.`);
  });
});

it('--normalize data takes the moments of the training images, usual the constants of the dataset', () => {
  const split = { shape: [1, 1, 1], classes: 2, images: Uint8Array.of(0, 255), labels: [0, 1] };
  const dataset = { ...arrayDataset({ name: 'two', train: split, test: split }), normalize: { mean: [1], std: [2] } };
  expect(Object.entries(NORMALIZATIONS).map(([name, of]) => [name, of(dataset)])).toEqual([
    ['usual', { mean: [1], std: [2] }],
    ['data', { mean: [0.5], std: [0.5] }],
    ['none', undefined],
  ]);
});

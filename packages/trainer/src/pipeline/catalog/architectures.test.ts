import { countParams, type Model } from '@cert/core';
import { cnn7, resnext, wideResnet8 } from '@cert/models';
import { describe, expect, it } from 'vitest';
import { MODELS, type ModelContext, type ModelSize, type modelOptions } from './architectures.js';
import type { Configurable, Table } from './entry.js';

const models: Table<Configurable<typeof modelOptions, ModelContext, Model>> = MODELS;
const images: ModelSize & ModelContext = {
  inputShape: [32, 32, 3],
  classes: 10,
  width: null,
  dense: null,
  batchNorm: null,
};
const tiny: typeof images = { ...images, inputShape: [64, 64, 3], classes: 200 };
const small = { ...images, width: 4, dense: 8 };
const make = (name: string, size: typeof images) => models[name]!.make(size, size);
const norms = (name: string, size: typeof images) =>
  make(name, size).nodes.filter(({ op }) => op === 'batchNorm').length;

describe('MODELS', () => {
  it("are the libraries' own where nothing is chosen", () => {
    const shape = { inputShape: [32, 32, 3], classes: 10 };
    expect(make('cnn7', images)).toEqual(cnn7(shape));
    expect(make('wide-resnet-8', images)).toEqual(wideResnet8(shape));
    expect(make('resnext', images)).toEqual(resnext(shape));
  });

  it('have the forms of TinyImageNet', () => {
    const shape = { inputShape: [64, 64, 3], classes: 200 };
    expect(make('cnn7-tiny-imagenet', tiny)).toEqual(cnn7({ ...shape, lastStride: 2 }));
    expect(make('wide-resnet-8-tiny-imagenet', tiny)).toEqual(wideResnet8({ ...shape, widths: [160, 320, 640] }));
    expect(make('resnext-tiny-imagenet', tiny)).toEqual(resnext({ ...shape, stem: 16, bottleneck: 8, blocks: 2 }));
  });

  it.each(Object.keys(MODELS))('%s takes a width and a dense layer', (name) => {
    const wider = countParams(make(name, { ...small, width: 8 }));
    expect(countParams(make(name, small))).toBeLessThan(wider);
    expect(make(name, small).nodes.find(({ name: node }) => node === 'dense1')).toBeDefined();
    expect(countParams(make(name, { ...small, dense: 9 }))).toBeGreaterThan(countParams(make(name, small)));
  });

  it.each(Object.keys(MODELS))('%s can do without BatchNorm', (name) => {
    expect(norms(name, { ...small, batchNorm: 'none' })).toBe(0);
  });

  it.each([
    ['mlp', 'conv', 'Give --bn none or --bn full, leave'],
    ['small-conv', 'conv', 'Give --bn none or --bn full, leave'],
    ['dm-large', 'conv', 'Give --bn none, leave'],
    ['dm-large', 'full', 'Give --bn none, leave'],
  ] as const)('%s refuses BatchNorm %s', (name, batchNorm, cure) => {
    expect(() => make(name, { ...small, batchNorm })).toThrow(
      expect.objectContaining({
        code: 'bad-argument',
        problem: `${name} does not support --bn ${batchNorm}.`,
        cure: expect.stringContaining(cure),
      }),
    );
  });
});

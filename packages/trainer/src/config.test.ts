import { describe, expect, it } from 'vitest';
import { checkConfig } from './config.js';
import { METHODS, PRESETS, resolveConfig } from './preset.js';

describe('resolveConfig', () => {
  it.each(Object.keys(PRESETS))('%s gives a whole, valid configuration for every method', (preset) => {
    for (const method of Object.keys(METHODS)) {
      const config = resolveConfig({ preset, method });
      expect(checkConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    }
  });

  it('digits/quick is what its documentation says', () => {
    expect(resolveConfig()).toMatchObject({
      ...{ dataset: 'digits', model: 'small-conv', epsilon: 0.1, epochs: 12, rampStart: 2, rampLength: 5 },
      ...{ batchSize: 64, learningRate: 2e-3, milestones: [8, 10], clipNorm: 10, init: 'ibp', regWeight: 0.5 },
      regularizers: ['tightness', 'relu-balance'],
    });
  });

  it('fits the ramp of a preset into any number of epochs', () => {
    for (let epochs = 1; epochs <= 40; epochs++) {
      expect(() => resolveConfig({ epochs })).not.toThrow();
      expect(() => resolveConfig({ preset: 'mnist/cnn7/fast', epochs })).not.toThrow();
    }
  });

  it('lets a choice win over the method, and the method over the preset', () => {
    expect(resolveConfig({ method: 'vanilla' })).toMatchObject({ init: 'xavier', regWeight: 0, regularizers: [] });
    expect(resolveConfig({ method: 'vanilla', init: 'ibp' })).toMatchObject({ init: 'ibp', regWeight: 0 });
  });

  it.each([
    [{ preset: 'digits/quik' }, 'There is no preset "digits/quik".', 'Did you mean "digits/quick"?'],
    [{ method: 'vanila' }, 'There is no method "vanila".', 'Did you mean "vanilla"?'],
    [{ model: 'cnn' }, 'There is no model "cnn".', 'Did you mean "cnn7"?'],
    [{ dataset: 'mnsit' }, 'There is no dataset "mnsit".', 'Did you mean "mnist"'],
    [{ device: 'gpu' }, 'There is no device "gpu".', 'Known: auto, '],
    [{ epsilon: -1 }, '--epsilon is -1.', 'Give a number from 0 to 1.'],
    [{ epsilon: Number.NaN }, '--epsilon is NaN.', 'Give a number from 0 to 1.'],
    [{ epochs: 2.5 }, '--epochs is 2.5.', 'whole number'],
    [{ learningRate: Number.POSITIVE_INFINITY }, '--learning-rate is Infinity.', 'finite'],
    [{ regularizers: ['tightnes'] }, '--regularizers is ["tightnes"].', 'tightness, relu-balance'],
    [{ batchNorm: 'all' }, '--bn is "all".', 'none, conv, full'],
    [{ rampLength: 20 }, 'The ramp ends after epoch 21 and training after epoch 12', 'Raise --epochs'],
  ])('refuses %o', (choices, problem, cure) => {
    const expected = {
      code: 'bad-argument',
      problem: expect.stringContaining(problem),
      cure: expect.stringContaining(cure),
    };
    expect(() => resolveConfig(choices)).toThrow(expect.objectContaining(expected));
  });
});

describe('checkConfig', () => {
  const { seed: _, ...incomplete } = resolveConfig();

  it('reads the runs from before a field existed', () => {
    const { batchNorm: _, ...older } = resolveConfig();
    expect(checkConfig(older)).toEqual(resolveConfig());
  });

  it.each([
    [{ ...resolveConfig(), epsilom: 1 }, 'There is no field in run.json "epsilom".'],
    [incomplete, 'run.json has no field "seed".'],
    [[], 'run.json is no JSON object.'],
    [{ ...resolveConfig(), batchSize: '64' }, '--batch-size is "64".'],
  ])('refuses %#', (config, problem) => {
    expect(() => checkConfig(config, 'run.json')).toThrow(problem);
  });
});

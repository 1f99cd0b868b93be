import { describe, expect, it } from 'vitest';
import { standardCatalog } from '../catalog/catalog.js';
import { checkConfig } from './config.js';
import { FIELDS } from './fields.js';
import { METHODS } from './methods.js';
import { parseField } from './parse-field.js';
import { type Choices, PRESETS, resolveConfig, usualEpsilon } from './preset.js';
import { radiusText } from './radius.js';

describe('resolveConfig', () => {
  it.each(Object.entries(PRESETS))('%s gives a whole, valid configuration', (preset, { method }) => {
    const config = resolveConfig({ preset });
    expect(config.method).toBe(method);
    expect(checkConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  it.each(Object.keys(METHODS))('%s can be chosen for any preset', (method) => {
    for (const preset of ['digits/quick', 'cifar10/cnn7/fast'])
      expect(resolveConfig({ preset, method }).method).toBe(method);
  });

  it('digits/quick is what its documentation says', () => {
    expect(resolveConfig()).toMatchObject({
      ...{ dataset: 'digits', model: 'small-conv', epsilon: 0.1, epochs: 12, rampStart: 2, rampLength: 5 },
      ...{ batchSize: 64, learningRate: 2e-3, milestones: [8, 10], clipNorm: 10, init: 'ibp', regWeight: 0.5 },
      regularizers: ['tightness', 'relu-balance'],
    });
  });

  it('gives each optimizer its own weight decay', () => {
    const decay = (choices: Choices) => {
      const { l2Decay, weightDecay, adamBeta2, momentum } = resolveConfig(choices);
      return { l2Decay, weightDecay, adamBeta2, momentum };
    };
    expect(decay({})).toEqual({ l2Decay: 0, adamBeta2: 0.999 });
    expect(decay({ optimizer: 'adamw', adamBeta2: 0.95 })).toEqual({ weightDecay: 0.01, adamBeta2: 0.95 });
    expect(decay({ optimizer: 'radam', l2Decay: 1e-4 })).toEqual({ l2Decay: 1e-4, adamBeta2: 0.999 });
    expect(decay({ optimizer: 'sgd' })).toEqual({ l2Decay: 0, momentum: 0.9 });
    expect(() => decay({ weightDecay: 1e-4 })).toThrow(
      '--weight-decay is an option of the optimizer adamw, but this run has the optimizer adam.',
    );
    expect(() => decay({ optimizer: 'adamw', adamBeta1: 1 })).toThrow(
      '--adam-beta1 is 1.\nGive a number from 0 to 0.999999.',
    );
  });

  it('a learning rate without milestones replaces those of the preset', () => {
    for (const rateSchedule of ['cosine', 'one-cycle'] as const) {
      const config = resolveConfig({ rateSchedule });
      expect(config).toMatchObject({ rateSchedule, milestones: [], rateWarmup: 0 });
      expect(checkConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    }
    expect(resolveConfig({ rateSchedule: 'steps' }).milestones).toEqual([8, 10]);
    expect(resolveConfig({ rateSchedule: 'cosine', milestones: [], rateWarmup: 11 }).rateWarmup).toBe(11);
  });

  it.each<[Choices, string, string]>([
    [
      { rateSchedule: 'cosine', milestones: [3, 5] },
      '--milestones 3,5 is for the learning rate schedule steps, but this run has the schedule cosine.',
      'Leave it out, or choose --rate-schedule steps.',
    ],
    [
      { rateSchedule: 'one-cycle', learningRateFactor: 0.1 },
      '--learning-rate-factor is for the learning rate schedule steps, but this run has the schedule one-cycle.',
      'Leave it out, or choose --rate-schedule steps.',
    ],
    [
      { rateWarmup: 2 },
      '--rate-warmup 2 is for the learning rate schedule cosine, but this run has the schedule steps.',
      'Leave it out, or choose --rate-schedule cosine.',
    ],
    [{ rateSchedule: 'cosine', rateWarmup: 12 }, '--rate-warmup is 12, but training has 12 epochs.', 'Lower'],
  ])('refuses %o', (choices, problem, cure) => {
    expect(() => resolveConfig(choices)).toThrow(
      expect.objectContaining({ code: 'bad-argument', problem, cure: expect.stringContaining(cure) }),
    );
  });

  it('patience needs validation images', () => {
    expect(resolveConfig({ validation: 0.1, patience: 3 })).toMatchObject({ validation: 0.1, patience: 3 });
    expect(() => resolveConfig({ patience: 3 })).toThrow(
      expect.objectContaining({
        problem: '--patience is 3, but no validation images are held out.',
        cure: expect.stringContaining('Add --validation 0.1'),
      }),
    );
  });

  it('refuses milestones that a config.json has beside another schedule', () => {
    expect(() => checkConfig({ ...resolveConfig(), rateSchedule: 'cosine' })).toThrow('--milestones 8,10 is for');
  });

  it('fits the ramp of a preset into any number of epochs', () => {
    for (let epochs = 1; epochs <= 40; epochs++) {
      expect(() => resolveConfig({ epochs })).not.toThrow();
      expect(() => resolveConfig({ preset: 'mnist/cnn7/fast', epochs })).not.toThrow();
    }
    // The shares 0.7 and 0.9, not rounded down below a whole epoch.
    expect(resolveConfig({ epochs: 90 }).milestones).toEqual([63, 81]);
  });

  it('lets a choice win over the method, and the method over the preset', () => {
    expect(resolveConfig({ method: 'vanilla' })).toMatchObject({ init: 'xavier', regWeight: 0, regularizers: [] });
    expect(resolveConfig({ method: 'vanilla', init: 'ibp' })).toMatchObject({ init: 'ibp', regWeight: 0 });
  });

  it('cifar10 has the schedule of the paper at full length, and pgd its attack', () => {
    expect(resolveConfig({ preset: 'cifar10/wide-resnet-8/fast' })).toMatchObject({
      ...{ method: 'fast', dataset: 'cifar10', model: 'wide-resnet-8', epsilon: 8 / 255, epochs: 160, batchSize: 128 },
      ...{ rampStart: 2, rampLength: 80, milestones: [120, 140], learningRate: 5e-4, regWeight: 0.5, accumulate: 1 },
    });
    expect(resolveConfig({ preset: 'cifar10-70/resnext/pgd' })).toMatchObject({
      ...{ method: 'pgd', objective: 'pgd', epochs: 70, milestones: [50, 60], rampStart: 1, rampLength: 0 },
      ...{ pgdSteps: 7, pgdStepSize: 0.25, regularizers: [], init: 'xavier' },
    });
  });

  it('tiny-imagenet goes through its batches in halves, with its own architectures and weight', () => {
    expect(resolveConfig({ preset: 'tiny-imagenet/cnn7/fast' })).toMatchObject({
      ...{ dataset: 'tiny-imagenet', model: 'cnn7-tiny-imagenet', epsilon: 1 / 255, epochs: 80, batchSize: 128 },
      ...{ rampStart: 2, rampLength: 20, milestones: [61, 71], accumulate: 2, regWeight: 0.2 },
    });
    expect(resolveConfig({ preset: 'tiny-imagenet/cnn7/volume' })).toMatchObject({ regWeight: 0.1, accumulate: 2 });
  });

  it('mnist keeps its schedule', () => {
    expect(resolveConfig({ preset: 'mnist/cnn7/fast' })).toMatchObject({
      ...{
        model: 'cnn7',
        epsilon: 0.4,
        epochs: 70,
        rampStart: 1,
        rampLength: 20,
        milestones: [50, 60],
        batchSize: 256,
      },
    });
  });

  it('takes the method from the preset, unless one is chosen', () => {
    const choose = (method?: string) => resolveConfig({ preset: 'mnist/cnn7/crown-ibp', method });
    expect(choose()).toMatchObject({ method: 'crown-ibp', objective: 'crown-ibp-fused' });
    expect(choose('stability')).toMatchObject({
      ...{ preset: 'mnist/cnn7/crown-ibp', method: 'stability', objective: 'robust' },
      ...{ regularizers: ['relu-stability', 'l1'], regWeight: 1e-5, regSchedule: 'constant' },
    });
  });

  it('has the settings that were published for each method and radius', () => {
    expect(resolveConfig({ preset: 'mnist-eps0.1/cnn7/sabr' })).toMatchObject({
      ...{
        dataset: 'mnist',
        model: 'cnn7',
        method: 'sabr',
        objective: 'sabr',
        epsilon: 0.1,
        epochs: 70,
        batchSize: 256,
      },
      ...{ rampStart: 1, rampLength: 20, milestones: [50, 60], trainRadius: 2, naturalShare: 0.3, l1: 1e-6 },
      ...{
        shrinkage: 0.4,
        innerSteps: 10,
        innerStepSize: null,
        innerRestarts: 3,
        reluShrinkage: 1,
        preciseBatchNorm: true,
      },
      ...{ init: 'ibp', regularizers: ['tightness', 'relu-balance'], regWeight: 0.5 },
    });
    expect(resolveConfig({ preset: 'cifar10-eps2/cnn7/mtl-ibp' })).toMatchObject({
      ...{ objective: 'mtl-ibp', epsilon: 2 / 255, alpha: 0.01, innerRadius: 2, rampStart: 2, rampLength: 80 },
    });
    expect(resolveConfig({ preset: 'cifar10-eps8/cnn7/taps', epochs: 24 })).toMatchObject({
      ...{ objective: 'taps', tapsCut: 5, tapsGradScale: 2, rampLength: 12, milestones: [20, 22] },
    });
    expect(resolveConfig({ preset: 'cifar10/cnn7/tuned' })).toMatchObject({
      ...{
        method: 'fast',
        epochs: 260,
        rampStart: 3,
        rampLength: 109,
        learningRate: 1.2e-3,
        learningRateFactor: 0.015,
      },
      ...{ naturalShare: 0.25, naturalShareEnd: 0.17, regWeight: 0.23 },
    });
    for (const preset of Object.keys(PRESETS)) {
      for (const epochs of [1, 2, 3, 4, 5, 10]) expect(() => resolveConfig({ preset, epochs })).not.toThrow();
    }
  });

  it('takes the radius that is usual for a dataset, unless one is chosen', () => {
    const epsilonOf = (choices: Choices) => resolveConfig(choices).epsilon;
    expect(epsilonOf({ dataset: 'cifar10' })).toBe(8 / 255);
    expect(epsilonOf({ preset: 'cifar10/cnn7/fast', dataset: 'mnist', method: 'vanilla' })).toBe(0.4);
    expect(epsilonOf({ preset: 'mnist/cnn7/fast', dataset: 'digits' })).toBe(0.1);
    expect(epsilonOf({ dataset: 'cifar10', epsilon: 0.1 })).toBe(0.1);
    expect(epsilonOf({ dataset: 'image-folder' })).toBe(0.1);
    for (const [name, { settings }] of Object.entries(PRESETS)) {
      // These are about a radius of their own.
      if (name.includes('-eps') || name === 'digits/deep') continue;
      const { dataset, epsilon } = settings(10);
      expect(usualEpsilon(dataset)).toBe(epsilon);
    }
  });

  it.each([
    [{ preset: 'digits/quik' }, 'There is no preset "digits/quik".', 'Did you mean "digits/quick"?'],
    [{ preset: 'cifar10/cnn7/fats' }, 'no preset', 'Did you mean "cifar10/cnn7/fast"'],
    [
      { preset: 'imagenet' },
      'no preset',
      'digits/quick, digits/deep, tabular/mlp, cifar10/cnn7/tuned, <dataset>/<model>/<method> of mnist fashion-mnist cifar10',
    ],
    [{ preset: 'imagenet' }, 'no preset', 'Did you mean "tiny-imagenet/cnn7/fast" or'],
    [{ preset: 'mnist' }, 'no preset', 'Did you mean "mnist/cnn7/fast" or'],
    [{ method: 'vanila' }, 'There is no method "vanila".', 'Did you mean "vanilla"?'],
    [{ model: 'cnn77' }, 'There is no model "cnn77".', 'Did you mean "cnn7"'],
    [{ dataset: 'mnsit' }, 'There is no dataset "mnsit".', 'Did you mean "mnist"'],
    [{ device: 'gpu' }, 'There is no device "gpu".', '"webgpu" or "tfjs-node-gpu"? Known: auto, '],
    [{ device: 'x' }, 'There is no device "x".', 'Known: auto, '],
    [{ epsilon: -1 }, '--epsilon is -1.', 'Give a finite number >= 0, such as 0.1 or 8/255.'],
    [{ epsilon: Number.NaN }, '--epsilon is NaN.', 'Give a finite number >= 0, '],
    [{ epochs: 2.5 }, '--epochs is 2.5.', 'whole number'],
    [{ learningRate: Number.POSITIVE_INFINITY }, '--learning-rate is Infinity.', 'finite'],
    [
      { regularizers: ['tightnes'] },
      'There is no regularizer "tightnes".',
      'Did you mean "tightness"? Known: tightness, ',
    ],
    [{ regularizers: ['l1', '0.5*tightnes'] }, 'There is no regularizer "tightnes".', 'Did you mean "tightness"?'],
    [
      { epsilon: 'abc' },
      '--epsilon is "abc"; expected a number such as 0.1 or a fraction such as 8/255.',
      'Give a finite number >= 0.',
    ],
    [{ learningRate: 'abc' }, '--learning-rate is "abc".', 'Give a finite number >= 0.'],
    [{ batchNorm: 'con' }, '--bn is "con".', 'Give one of none, conv, full. Did you mean "conv"'],
    [{ regularizers: ['x*l1'] }, '--regularizers is ["x*l1"].', 'weight*name'],
    [{ regularizers: ['2*3*l1'] }, '--regularizers is ["2*3*l1"].', 'weight*name'],
    [{ objective: 'robustt' }, 'There is no objective "robustt".', 'Did you mean "robust"?'],
    [{ accumulate: 0 }, '--accumulate is 0.', 'whole number'],
    [{ batchNorm: 'all' }, '--bn is "all".', 'none, conv, full'],
    [{ rampLength: 20 }, 'The ramp ends after epoch 21 but training ends after epoch 12', 'Raise --epochs'],
  ])('refuses %o', (choices, problem, cure) => {
    const expected = {
      code: 'bad-argument',
      problem: expect.stringContaining(problem),
      cure: expect.stringContaining(cure),
    };
    expect(() => resolveConfig(choices as Choices)).toThrow(expect.objectContaining(expected));
  });
});

describe('checkConfig', () => {
  const { seed: _, ...incomplete } = resolveConfig();

  it('reads the runs from before a field existed', () => {
    const {
      batchNorm: _a,
      accumulate: _b,
      objective: _c,
      pgdSteps: _d,
      pgdStepSize: _e,
      regSchedule: _f,
      normalize: _g,
      augment: _h,
      classWeights: _i,
      delta: _j,
      ...older
    } = resolveConfig();
    expect(checkConfig(older)).toEqual(resolveConfig());
  });

  it.each([
    [{ ...resolveConfig(), epsilom: 1 }, 'There is no field in run.json "epsilom".'],
    [incomplete, 'run.json lacks the field "seed".'],
    [[], 'run.json is not a JSON object.'],
    [{ ...resolveConfig(), batchSize: '64' }, '--batch-size is "64".'],
    [{ ...resolveConfig(), regularizers: [['l1']] }, '--regularizers is [["l1"]].'],
    [{ ...resolveConfig(), batchNorm: ['conv'] }, '--bn is ["conv"].'],
    [{ ...resolveConfig(), batchNorm: { toString: null } }, '--bn is {"toString":null}.'],
    [{ ...resolveConfig(), model: 'a'.repeat(1e5) }, /There is no model "a{116}\.\.\.\.$/m],
  ])('refuses %#', (config, problem) => {
    expect(() => checkConfig(config, 'run.json')).toThrow(problem);
  });
});

it.each([
  [1, []],
  [2, [1]],
  [3, [2]],
  [4, [2, 3]],
  [12, [8, 10]],
])(
  'with %i epochs the learning rate drops once after each of the epochs %j, never before the first one',
  (epochs, milestones) => {
    expect(resolveConfig({ epochs }).milestones).toEqual(milestones);
  },
);

it('a short schedule of the paper has no drop before its first epoch, behind its last, or twice after one', () => {
  for (const [epochs, milestones] of [
    [1, []],
    [2, [1]],
    [8, [6, 7]],
    [160, [120, 140]],
  ] as const) {
    expect(resolveConfig({ preset: 'cifar10/cnn7/fast', epochs }).milestones).toEqual(milestones);
  }
});

it.each([
  ['8/255', 8 / 255],
  [' 1 / 3 ', 1 / 3],
  ['0.1', 0.1],
  ['1/2/3', '1/2/3'],
  ['8/', '8/'],
  ['a', 'a'],
  ['0/0', '0/0'],
  ['8/0', '8/0'],
  ['Infinity', 'Infinity'],
])('%s from the command line', (text, value) => {
  expect(parseField(FIELDS.epsilon, text)).toBe(value);
});

it.each([
  ['init', 'he', 'kaiming'],
  ['init', 'Glorot', 'xavier'],
  ['init', 'IBP', 'ibp'],
  ['optimizer', 'Adam', 'adam'],
  ['dataset', 'CIFAR-10', 'cifar10'],
  ['dataset', 'TinyImageNet', 'tiny-imagenet'],
  ['objective', 'crown_ibp', 'crown-ibp'],
  ['device', 'CPU', 'cpu'],
  ['regularizers', 'Tightness, 0.5*ReLU-Balance', ['tightness', '0.5*relu-balance']],
  ['model', 'nothing', 'nothing'],
] as const)('%s %s from the command line', (name, text, value) => {
  expect(parseField(FIELDS[name], text, standardCatalog)).toEqual(value);
});

it.each([
  [8 / 255, '8/255'],
  [1 / 255, '1/255'],
  [0.1, '0.1'],
  [0.4, '0.4'],
  [0.03137, '0.03137'],
  [0, '0'],
])('%d as people write it', (radius, text) => {
  expect(radiusText(radius)).toBe(text);
});

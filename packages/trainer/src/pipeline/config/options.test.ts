import { createHash } from 'node:crypto';
import type { Regularizer } from '@cert/core';
import { type Scalar, tf } from '@cert/core';
import { arrayDataset, type Split } from '@cert/datasets';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { naturalObjective } from '../../objectives/natural.js';
import { always, naturalThen } from '../../objectives/schedule.js';
import { modelOptions } from '../catalog/architectures.js';
import { withOptions } from '../catalog/entry.js';
import type { Plugin } from '../plugins/plugin.js';
import { withPlugins } from '../plugins/with-plugins.js';
import { buildExperiment, initializerOf, loadData } from '../runs/experiment.js';
import { checkConfigOf } from '../runs/folder.js';
import { checkConfig } from './config.js';
import { type Choices, resolveConfig } from './preset.js';
import type { RunConfig } from './run-config.js';

/** What the factories below were given. */
const got: { [name: string]: unknown } = {};

const nothing: Regularizer = { name: 'nothing', term: () => tf.scalar(0) as Scalar };
const half = { images: new Float32Array(4 * 64), labels: [0, 1, 2, 1], shape: [8, 8, 1], classes: 3 };

const plugin: Plugin = {
  name: 'p',
  objectives: {
    smooth: withOptions(
      {
        smoothKappa: { kind: 'number', above: 0, default: 0.5, help: 'softness of the hinge' },
        smoothSquare: { kind: 'boolean', default: true, help: 'square the hinge' },
      },
      (options, { backward }) => {
        Object.assign(got, options, { backward: typeof backward });
        return naturalThen({ ...naturalObjective, name: `smooth ${options.smoothKappa}` });
      },
    ),
    plain: () => always(naturalObjective),
  },
  regularizers: {
    width: withOptions({ widthNorm: { kind: 'choice', of: ['l1', 'l2'], default: 'l2', help: 'norm' } }, (options) => {
      Object.assign(got, options);
      return nothing;
    }),
  },
  datasets: {
    dots: withOptions(
      { dotsSize: { kind: 'integer', min: 1, max: 9, default: 3, help: 'pixels of a dot' } },
      async (options) => {
        Object.assign(got, options);
        return arrayDataset({ name: 'dots', train: half, test: half });
      },
    ),
  },
  models: {
    thin: withOptions({ width: modelOptions.width }, ({ width }, { inputShape, classes }) => {
      Object.assign(got, { width });
      return { inputShape, classes, nodes: [] };
    }),
  },
  initializers: {
    scaled: withOptions({ scaledBy: { kind: 'number', default: 2, help: 'factor' } }, ({ scaledBy }) => () => {
      Object.assign(got, { scaledBy });
      return {};
    }),
  },
  methods: { soft: { objective: 'smooth', options: { smoothKappa: 0.25 } } },
};
const catalog = withPlugins([plugin]);

const split: Split = { ...half, labels: Uint8Array.from(half.labels), count: 4, scale: 1 };
const dataset = { name: 'grey', train: split, test: split, range: { min: 0, max: 1 } };

describe('options of plug-ins', () => {
  it('reach their factory, typed, with the value that was chosen, that of the method, or the default', () => {
    const build = (choices: Choices) => buildExperiment(resolveConfig(choices, catalog), dataset, catalog);
    expect(build({ objective: 'smooth', options: { smoothKappa: 2 } }).plan.objective(1).name).toBe('smooth 2');
    expect(got).toMatchObject({ smoothKappa: 2, smoothSquare: true, backward: 'object' });
    expect(build({ method: 'soft' }).plan.objective(1).name).toBe('smooth 0.25');
    expect(build({ method: 'soft', options: { smoothKappa: 3 } }).plan.objective(1).name).toBe('smooth 3');
    build({ regularizers: ['0.5*width'], options: { widthNorm: 'l1' } });
    expect(got.widthNorm).toBe('l1');
    expect(build({ model: 'thin', width: 7 }).model.nodes).toEqual([]);
    expect(got.width).toBe(7);
  });

  it('have the types that they declare', () => {
    withOptions(
      {
        count: { kind: 'integer', default: 1, help: 'x' },
        perhaps: { kind: 'number', orNone: true, default: null, help: 'x' },
        word: { kind: 'choice', of: ['a', 'b'], default: 'a', help: 'x' },
        text: { kind: 'text', default: '', help: 'x' },
        yes: { kind: 'boolean', default: true, help: 'x' },
      },
      (options) => {
        expectTypeOf(options).toEqualTypeOf<{
          readonly count: number;
          readonly perhaps: number | null;
          readonly word: 'a' | 'b';
          readonly text: string;
          readonly yes: boolean;
        }>();
        return nothing;
      },
    );
    expectTypeOf<RunConfig['pgdSteps']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<RunConfig['batchNorm']>().toEqualTypeOf<'none' | 'conv' | 'full' | null | undefined>();
    expectTypeOf<RunConfig['clipNorm']>().toEqualTypeOf<number | null>();
  });

  it('reach a dataset and an initialization too', async () => {
    await loadData(resolveConfig({ dataset: 'dots', options: { dotsSize: 4 } }, catalog), undefined, catalog);
    expect(got.dotsSize).toBe(4);
    const config = resolveConfig({ init: 'scaled' }, catalog);
    initializerOf('scaled', config, catalog.initializers)({ inputShape: [1], classes: 1, nodes: [] }, 0);
    expect(got.scaledBy).toBe(2);
  });

  it('are recorded where the run uses them, and nowhere else', () => {
    const config = resolveConfig({ objective: 'smooth' }, catalog);
    expect(config.options).toEqual({ smoothKappa: 0.5, smoothSquare: true });
    expect(config).not.toHaveProperty('naturalWeight');
    expect(resolveConfig({}, catalog)).toMatchObject({ options: {}, naturalWeight: 0, regTolerance: 0.5 });
    expect(checkConfig(JSON.parse(JSON.stringify(config)), 'it', catalog)).toEqual(config);
  });

  it.each<[Choices, string, string]>([
    [{ objective: 'smooth', options: { smoothKappa: 0 } }, '--smooth-kappa is 0.', 'Give a number > 0.'],
    [{ objective: 'smooth', options: { smoothSquare: 'yes' } }, '--smooth-square is "yes".', 'Give true or false.'],
    [{ regularizers: ['width'], options: { widthNorm: 'l3' } }, '--width-norm is "l3".', 'Give one of l1, l2.'],
    [{ dataset: 'dots', options: { dotsSize: 10 } }, '--dots-size is 10.', 'Give a whole number from 1 to 9.'],
    [{ options: { smothKappa: 1 } }, 'There is no option "smothKappa".', 'Did you mean "smoothKappa"'],
    [
      { options: { smoothKappa: 1 } },
      '--smooth-kappa is an option of the objective smooth, but this run has the objective robust.',
      'Leave it out, or choose --objective smooth.',
    ],
    [
      { options: { widthNorm: 'l1' }, regularizers: [] },
      '--width-norm is an option of the regularizer width, but this run has no regularizer.',
      '--regularizers width.',
    ],
    [
      { pgdSteps: 3 },
      '--pgd-steps is an option of the objective pgd, but this run has the objective robust.',
      'Leave it out, or choose --objective pgd.',
    ],
    [
      { method: 'vanilla', regTolerance: 0.3 },
      '--reg-tolerance is an option of the regularizers tightness, relu-balance, but this run has no regularizer.',
      'Leave it out, or choose one of them: --regularizers NAME.',
    ],
    [{ momentum: 0.5 }, '--momentum is an option of the optimizer sgd, but this run has the optimizer adam.', 'sgd'],
    [{ model: 'thin', dense: 3 }, '--dense is an option of the models small-conv, mlp, ', '--model NAME.'],
  ])('refuses %o', (choices, problem, cure) => {
    expect(() => resolveConfig(choices, catalog)).toThrow(
      expect.objectContaining({
        code: 'bad-argument',
        problem: expect.stringContaining(problem),
        cure: expect.stringContaining(cure),
      }),
    );
  });

  it.each<[string, Plugin, string, string]>([
    [
      'one that another thing has with another meaning',
      {
        name: 'q',
        regularizers: {
          'wide-net': withOptions(
            { smoothKappa: { kind: 'number', default: 1, help: 'something else' } },
            () => nothing,
          ),
        },
      },
      'The option "smoothKappa" (--smooth-kappa) of the regularizer wide-net has the name of an option of the objective smooth that has another meaning.',
      'wideNetSmoothKappa.',
    ],
    [
      'one of every run',
      {
        name: 'q',
        objectives: {
          o: withOptions({ epochs: { kind: 'integer', default: 1, help: 'x' } }, () => always(naturalObjective)),
        },
      },
      'The option "epochs" (--epochs) of the objective o has the name of an option of every run.',
      'oEpochs.',
    ],
    [
      'one of what is built in',
      {
        name: 'q',
        objectives: {
          o: withOptions({ pgdSteps: { kind: 'integer', default: 1, help: 'x' } }, () => always(naturalObjective)),
        },
      },
      'of the objective pgd that has another meaning',
      'oPgdSteps.',
    ],
  ])('refuses the name of %s', (_name, other, problem, cure) => {
    expect(() => withPlugins([plugin, other])).toThrow(
      expect.objectContaining({ problem: expect.stringContaining(problem), cure: expect.stringContaining(cure) }),
    );
  });
});

describe('a configuration from before', () => {
  it('had the options of everything, which stay as they were', () => {
    const old = { ...resolveConfig({ method: 'vanilla' }), momentum: 0.9, pgdSteps: 7, regTolerance: 0.5, data: null };
    const { options: _, ...written } = old;
    expect(checkConfig(written)).toEqual(old);
    expect(() => checkConfig({ ...written, momentum: 2 })).toThrow('--momentum is 2.');
  });

  it('has the checkpoints that it had: what was written for it is recognized', () => {
    // As every configuration was, and was hashed, before each thing declared its own options.
    const { options: _, checkpointMinutes: __, ...common } = resolveConfig({ method: 'vanilla' });
    const old = { ...common, momentum: 0.9, pgdSteps: 7, pgdStepSize: 0.25, regTolerance: 0.5, data: null };
    const before = {
      plugins: [],
      objective: 'robust',
      bound: 'ibp',
      regSchedule: 'warmup',
      accumulate: 1,
      perturbation: null,
      ...{ trainRadius: 1, l1: 0, naturalShare: 0, naturalShareEnd: null },
      average: 'none',
      averageStart: null,
      emaDecay: 0.999,
      preciseBatchNorm: false,
      classWeights: 'none',
      delta: null,
    };
    const later = { batchNorm: null, normalize: 'usual', augment: 'usual', pgdSteps: 7, pgdStepSize: 2.5 / 7 };
    const latest = {
      adamBeta1: 0.9,
      adamBeta2: 0.999,
      adamEpsilon: 1e-8,
      l2Decay: 0,
      rateSchedule: 'steps',
      rateWarmup: 0,
      validation: 0,
      patience: null,
      warmStart: null,
      warmStartSha256: null,
    };
    const usual: { readonly [name: string]: unknown } = { ...before, ...later, ...latest };
    const settings = Object.entries(old)
      .filter(([name]) => !['data', 'device', 'plugins'].includes(name))
      .filter(([name, value]) => !(name in usual) || JSON.stringify(value) !== JSON.stringify(usual[name]))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const hash = createHash('sha256').update(JSON.stringify(settings)).digest('hex');
    const config = checkConfig(JSON.parse(JSON.stringify(old)));
    expect(config.checkpointMinutes).toBeNull();
    expect(() => checkConfigOf('last.safetensors', { config: hash }, config)).not.toThrow();
    // What changes nothing of what is computed does not tell runs apart.
    const often = { ...config, checkpointMinutes: 3, data: 'elsewhere' };
    expect(() => checkConfigOf('last.safetensors', { config: hash }, often)).not.toThrow();
    expect(() => checkConfigOf('last.safetensors', { config: hash }, { ...config, momentum: 0.8 })).toThrow();
  });

  it('an option of a plug-in is complete, unless it says what it was before', () => {
    const config = resolveConfig({ objective: 'smooth' }, catalog);
    const partial = { ...config, options: { smoothKappa: 0.5 } };
    expect(() => checkConfig(partial, 'it', catalog)).toThrow('it lacks the field "smoothSquare".');
    expect(() => checkConfig({ ...config, options: { ...config.options, dotsSize: 3 } }, 'it', catalog)).toThrow(
      'There is no option in it "dotsSize".',
    );
    expect(() => checkConfig({ ...config, options: [] }, 'it', catalog)).toThrow('it has options [].');
  });
});

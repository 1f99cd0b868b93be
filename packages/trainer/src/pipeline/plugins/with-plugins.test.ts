import { ibp } from '@cert/bounds';
import { type Layer, linfBall, tf } from '@cert/core';
import { mlp } from '@cert/models';
import { describe, expect, it } from 'vitest';
import { standardCatalog } from '../catalog/catalog.js';
import { checkConfig } from '../config/config.js';
import { resolveConfig } from '../config/preset.js';
import type { Plugin } from './plugin.js';
import { withPlugins } from './with-plugins.js';

declare module '@cert/core' {
  interface OpMap {
    twice: { attrs: object; params: never; stats: never };
  }
}

const twice: Layer<'twice'> = { op: 'twice', attrs: {}, infer: (shape) => ({ shape, params: {}, stats: {} }) };
const wide = { ...ibp, name: 'wide' };
const a: Plugin = {
  name: 'a',
  ops: {
    twice: {
      natural: (_node, _params, _, x) => tf.mul(x, 2),
      ibp: (_node, _params, _, x) => ({ center: tf.mul(x.center, 2), radius: tf.mul(x.radius, 2) }),
    },
  },
  boundMethods: { wide },
  regularizers: { nothing: () => ({ name: 'nothing', term: () => tf.scalar(0) }) },
};
const b: Plugin = {
  name: 'b',
  models: { tiny: ({ inputShape, classes }) => mlp({ inputShape, classes, hidden: [2], batchNorm: false }) },
  methods: { calm: { objective: 'natural', epsilon: 0.5 } },
};

describe('withPlugins', () => {
  it('adds to the names and leaves what is built in alone', () => {
    const catalog = withPlugins([a, b]);
    expect(Object.keys(catalog.boundMethods)).toEqual(['ibp', 'crown-ibp', 'wide']);
    expect(Object.keys(catalog.verifiers)).toEqual(['ibp', 'crown-ibp', 'wide', 'crown', 'alpha-crown', 'bab']);
    expect(catalog.models.tiny).toBe(b.models!.tiny);
    expect(catalog.methods.calm).toEqual({ objective: 'natural', epsilon: 0.5 });
    expect(catalog.plugins.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(Object.keys(standardCatalog.boundMethods)).toEqual(['ibp', 'crown-ibp']);
    expect('twice' in standardCatalog.rules.natural.rules).toBe(false);
  });

  it('gives the same whatever the order', () => {
    const [ab, ba] = [withPlugins([a, b]), withPlugins([b, a])];
    for (const part of ['methods', 'boundMethods', 'models', 'regularizers'] as const) {
      expect(Object.keys(ba[part]).sort()).toEqual(Object.keys(ab[part]).sort());
    }
    expect(resolveConfig({ method: 'wide', model: 'tiny' }, ba)).toEqual({
      ...resolveConfig({ method: 'wide', model: 'tiny' }, ab),
      plugins: ba.plugins,
    });
  });

  it('knows the ops in its tables', () => {
    const { rules } = withPlugins([a]);
    const model = {
      inputShape: [1],
      classes: 1,
      nodes: [{ name: 't', inputs: ['input'], shape: [1], params: {}, stats: {}, op: twice.op, attrs: {} }],
    };
    const { output } = rules.ibp.bound({ network: { model, params: {} }, box: linfBall(tf.tensor2d([[0.5]]), 0.25) });
    expect([...output.upper.dataSync()]).toEqual([1.5]);
  });

  it('a bound method is a training method: vanilla with its bounds', () => {
    const config = resolveConfig({ method: 'wide' }, withPlugins([a]));
    expect(config).toEqual({
      ...resolveConfig({ method: 'vanilla', bound: 'wide' }, withPlugins([a])),
      method: 'wide',
    });
    expect(config).toMatchObject({ bound: 'wide', objective: 'robust', init: 'xavier', regularizers: [] });
    expect(config.plugins).toEqual([{ name: 'a', module: null, version: null }]);
  });

  it.each<[string, readonly Plugin[], string]>([
    [
      'a built-in op',
      [{ name: 'a', ops: { relu: { natural: standardCatalog.rules.natural.rules.relu! } } }],
      'The plug-in "a" adds the op "relu", which is already built in.',
    ],
    [
      'an op of another plug-in',
      [a, { name: 'c', ops: a.ops! }],
      'The plug-in "c" adds the op "twice", which the plug-in "a" also adds.',
    ],
    [
      'a bound method of cert eval',
      [{ name: 'c', boundMethods: { crown: { ...ibp, name: 'crown' } } }],
      'The plug-in "c" adds the bound method "crown", which is already built in.',
    ],
    [
      'a training method, by a bound method',
      [{ name: 'c', boundMethods: { fast: { ...ibp, name: 'fast' } } }],
      'The plug-in "c" adds the method "fast", which is already built in.',
    ],
    [
      'a model',
      [b, { name: 'c', models: b.models! }],
      'The plug-in "c" adds the model "tiny", which the plug-in "b" also adds.',
    ],
    ['a plug-in', [a, { name: 'a' }], 'The plug-in "a" adds the plug-in "a", which the plug-in "a" also adds.'],
  ])('refuses a name that is taken: %s', (_name, plugins, problem) => {
    expect(() => withPlugins(plugins)).toThrow(expect.objectContaining({ code: 'bad-argument', problem }));
  });
});

describe('a configuration', () => {
  it('with plug-ins is checked against a catalog that has them', () => {
    const catalog = withPlugins([a, b]);
    const config = JSON.parse(JSON.stringify(resolveConfig({ method: 'wide', model: 'tiny' }, catalog)));
    expect(checkConfig(config, 'it', catalog)).toEqual(config);
    expect(() => checkConfig(config, 'config.json')).toThrow(
      expect.objectContaining({
        problem: 'config.json needs the plug-in "a", which was not passed in.',
        cure: 'Give a catalog that contains the plug-in: withPlugins([plugin]).',
      }),
    );
    expect(() => checkConfig({ ...config, plugins: 'a' }, 'it', catalog)).toThrow('it has plugins "a".');
  });

  it('from before there were plug-ins needs none', () => {
    const { plugins, bound, ...old } = resolveConfig();
    expect(checkConfig(old)).toMatchObject({ plugins: [], bound: 'ibp' });
  });

  it('names what plug-ins bring among the known names', () => {
    expect(() => resolveConfig({ bound: 'wid' }, withPlugins([a]))).toThrow(
      /Did you mean "wide"\? Known: ibp, crown-ibp, wide/,
    );
  });
});

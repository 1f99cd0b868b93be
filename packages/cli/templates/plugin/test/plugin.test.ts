import { crownIbpOf, naturalPass } from '@cert/bounds';
import { boundMethodSuite, type Forward } from '@cert/testing';
import { resolveConfig, withPlugins } from '@cert/trainer/pipeline';
import { describe, expect, it } from 'vitest';
import plugin, { absolute, method } from '../src/index.js';
import { rules } from '../src/method.js';

const forward: Forward = (network, images) => naturalPass(network, images, rules.natural);
const layers = [absolute()];

const suites = [
  boundMethodSuite({ method: rules.ibp, forward, layers, ops: ['dense', 'conv2d', 'flatten'] }),
  boundMethodSuite({
    method: crownIbpOf({ forward: rules.ibp, backward: rules.linearRelaxation }),
    ...{ forward, layers, ops: ['dense', 'conv2d', 'flatten'], exactOn: 'output' },
  }),
  boundMethodSuite({ method, forward, layers, exactOn: 'output' }),
];

describe('conformance', () => {
  for (const { name, run } of suites.flat()) it(name, run);
});

it('brings a method and a model to the command', () => {
  const config = resolveConfig({ method: '{{short}}', model: '{{short}}' }, withPlugins([plugin]));
  expect(config).toMatchObject({ bound: '{{short}}', objective: 'robust' });
});

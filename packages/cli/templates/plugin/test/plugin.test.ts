import { crownIbpOf, linesOf, naturalPass } from '@cert/bounds';
import { sequential } from '@cert/core';
import { cpuDevice } from '@cert/jit/node';
import { boundMethodSuite, type Forward, linesSuite } from '@cert/testing';
import { resolveConfig, withPlugins } from '@cert/trainer/pipeline';
import { afterAll, describe, expect, it } from 'vitest';
import plugin, { absolute, method } from '../src/index.js';
import { rules } from '../src/method.js';

const forward: Forward = (network, images) => naturalPass(network, images, rules.natural);
const layers = [absolute()];

// As `cert train` runs the rules: compiled. Where onnxruntime-node is not installed, eagerly alone.
const device = await cpuDevice().catch((error: { readonly code?: string }) => {
  if (error.code === 'missing-package') return undefined;
  throw error;
});
const on = device === undefined ? {} : { device };
afterAll(() => device?.dispose());

const suites = [
  boundMethodSuite({ method: rules.ibp, forward, layers, ops: ['dense', 'conv2d', 'flatten'], ...on }),
  boundMethodSuite({
    method: crownIbpOf({ forward: rules.ibp, backward: rules.linearRelaxation }),
    ...{ forward, layers, ops: ['dense', 'conv2d', 'flatten'], exactOn: 'output', ...on },
  }),
  // One logit may be bounded better by one method and another by the other: their difference can be tighter than the margin of either.
  boundMethodSuite({ method, forward, layers, exactOn: 'output', tightMargins: false, ...on }),
  linesSuite({
    ...{ name: 'absolute', f: Math.abs, ...on },
    lines(box) {
      const model = sequential(box.lower.shape.slice(1), layers);
      return linesOf(rules.linearRelaxation, { model, params: {} }, { input: box }).absolute1!;
    },
  }),
];

describe('conformance', () => {
  for (const { name, run } of suites.flat()) it(name, run);
});

it('brings a method and a model to the command', () => {
  const config = resolveConfig({ method: '{{short}}', model: '{{short}}' }, withPlugins([plugin]));
  expect(config).toMatchObject({ bound: '{{short}}', objective: 'robust', options: { absoluteLayers: 2 } });
});

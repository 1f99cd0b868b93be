import { CertError, dense, type Layer, linfBall, relu, sequential, tf } from '@cert/core';
import { boundMethodSuite, type Forward } from '@cert/testing';
import { describe, expect, it } from 'vitest';
import { type CenterRadius, extend, type ForwardRule, ibp, natural, naturalPass } from './index.js';

declare module '@cert/core' {
  interface OpMap {
    /** max(x, slope * x), 0 < slope < 1. */
    steepRelu: { attrs: { readonly slope: number }; params: never; stats: never };
  }
}

const steepRelu = (slope: number): Layer<'steepRelu'> => ({
  op: 'steepRelu',
  attrs: { slope },
  infer: (shape) => ({ shape, params: {}, stats: {} }),
});

/** Increasing in x: the ends of the interval map to the ends. */
const rule: ForwardRule<'steepRelu', CenterRadius> = ({ attrs }, _params, _context, x) => {
  const [lower, upper] = [
    tf.leakyRelu(tf.sub(x.center, x.radius), attrs.slope),
    tf.leakyRelu(tf.add(x.center, x.radius), attrs.slope),
  ];
  return { center: tf.mul(tf.add(upper, lower), 0.5), radius: tf.mul(tf.sub(upper, lower), 0.5) };
};
const withNatural = extend(natural, { steepRelu: ({ attrs }, _params, _context, x) => tf.leakyRelu(x, attrs.slope) });
const forward: Forward = (network, images) => naturalPass(network, images, withNatural);
const suite = (leaky: typeof rule) =>
  boundMethodSuite({
    method: extend(ibp, { steepRelu: leaky }),
    forward,
    ops: ['dense', 'conv2d', 'flatten'],
    layers: [steepRelu(0.1)],
  });

describe('an op of a plug-in', () => {
  for (const { name, run } of suite(rule)) it(name, run);

  it('with a wrong rule fails the suite, which names the node', async () => {
    const wrong = suite(({ attrs }, _params, _context, x) => ({
      center: tf.leakyRelu(x.center, attrs.slope),
      radius: tf.mul(x.radius, attrs.slope),
    }));
    await expect(wrong[0]!.run()).rejects.toMatchObject({
      code: 'unsound',
      message: expect.stringMatching(/model "steepRelu on vectors".*node "steepRelu1".*lies outside/s),
    });
  });
});

describe('extend', () => {
  const model = sequential([2], [dense(2), steepRelu(0.5), relu()]);
  const params = { dense1: { kernel: tf.eye(2), bias: tf.zeros([2]) } };
  const box = linfBall(tf.tensor2d([[0.5, 0.5]]), 0.25);

  it('returns a new method and leaves the given one as it was', () => {
    const before = Object.keys(ibp.rules);
    const extended = extend(ibp, { steepRelu: rule });
    expect(Object.keys(ibp.rules)).toEqual(before);
    expect(extended.name).toBe('ibp');
    expect([...extended.bound({ network: { model, params }, box }).output.upper.dataSync()]).toEqual([0.75, 0.75]);
    expect(() => ibp.bound({ network: { model, params }, box })).toThrow(CertError);
  });

  it('replaces a rule', () => {
    const wide = extend(ibp, { relu: (_node, _params, _context, x) => ({ ...x, radius: tf.add(x.radius, 1) }) });
    const narrow = sequential([2], [dense(2), relu()]);
    expect([...wide.bound({ network: { model: narrow, params }, box }).output.upper.dataSync()]).toEqual([1.75, 1.75]);
    expect([...ibp.bound({ network: { model: narrow, params }, box }).output.upper.dataSync()]).toEqual([0.75, 0.75]);
  });
});

describe('an op without a rule', () => {
  // The names that a reader of the message would see.
  const gelu: Layer<'testGelu'> = { op: 'testGelu', attrs: {}, infer: (shape) => ({ shape, params: {}, stats: {} }) };
  const model = sequential([2], [dense(2), gelu, dense(2)]);
  const named = {
    ...model,
    nodes: model.nodes.map((n) =>
      n.op === 'testGelu'
        ? { ...n, name: 'act3' }
        : { ...n, inputs: n.inputs.map((i) => (i === 'testGelu1' ? 'act3' : i)) },
    ),
  };
  const json = JSON.parse(JSON.stringify(named).replaceAll('testGelu', 'gelu'));
  const params = { dense1: { kernel: tf.eye(2), bias: tf.zeros([2]) } };
  const thrown = (f: () => unknown) => {
    try {
      return f();
    } catch (error) {
      return error;
    }
  };

  it('is an error that says which method, op and node, and the cure', () => {
    const box = linfBall(tf.tensor2d([[0.5, 0.5]]), 0.25);
    expect(thrown(() => ibp.bound({ network: { model: json, params }, box }))).toMatchObject({
      code: 'missing-rule',
      problem: 'ibp has no rule for "gelu" (node "act3").',
      cure: 'Add one: extend(ibp, { gelu: rule }).',
    });
    expect(thrown(() => naturalPass({ model: json, params }, tf.zeros([1, 2])))).toMatchObject({
      problem: 'natural has no rule for "gelu" (node "act3").',
    });
  });
});

declare module '@cert/core' {
  interface OpMap {
    testGelu: { attrs: object; params: never; stats: never };
  }
}

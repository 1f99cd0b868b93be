import { CertError, dense, fromBounds, type Layer, linfBall, type Params, relu, sequential, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import {
  type BackwardStep,
  crown,
  crownIbp,
  crownIbpOf,
  extend,
  extendBackward,
  extendRules,
  ibp,
  linearRelaxation,
  natural,
  naturalPass,
  type Rows,
  standardRules,
} from './index.js';

declare module '@cert/core' {
  interface OpMap {
    mirror: { attrs: object; params: never; stats: never };
  }
}

const mirror: Layer<'mirror'> = { op: 'mirror', attrs: {}, infer: (shape) => ({ shape, params: {}, stats: {} }) };
const model = sequential([3], [dense(4), mirror, relu(), dense(2)]);
const params = {
  dense1: { kernel: tf.ones([3, 4]), bias: tf.zeros([4]) },
  dense2: { kernel: tf.ones([4, 2]), bias: tf.zeros([2]) },
};
const images = tf.fill([5, 3], 0.5);
const box = linfBall(images, 0.1);
const caught = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return error;
  }
};

describe('a rule that gives a wrong shape is an error that names method, op, node and both shapes', () => {
  it('natural', () => {
    const wrong = extend(natural, { mirror: (_node, _params, _, x) => tf.expandDims(tf.neg(x), 2) });
    expect(caught(() => naturalPass({ model, params }, images, wrong))).toMatchObject({
      code: 'shape-mismatch',
      problem: 'natural: the rule for "mirror" (node "mirror1") returned a value of shape [5,4,1] instead of [5,4].',
    });
  });

  it.each([
    ['radius', { center: [5, 4], radius: [4] }, 'a radius of shape [4] instead of [5,4]'],
    ['center', { center: [4, 5], radius: [5, 4] }, 'a center of shape [4,5] instead of [5,4]'],
    ['both', { center: [5, 3], radius: [5, 3] }, 'a center of shape [5,3] instead of [5,4]'],
  ])('ibp, %s', (_name, shapes, message) => {
    const [center, radius] = [tf.zeros(shapes.center), tf.zeros(shapes.radius)];
    const wrong = extend(ibp, { mirror: (_node, _params, _, x) => ({ ...x, center, radius }) });
    expect(caught(() => wrong.bound({ network: { model, params }, box }))).toMatchObject({
      code: 'shape-mismatch',
      problem: `ibp: the rule for "mirror" (node "mirror1") returned ${message}.`,
    });
  });

  it('ibp, the last node', () => {
    const last = sequential([3], [mirror]);
    const wrong = extend(ibp, {
      mirror: (_node, _params, _, x) => ({ center: tf.mean(x.center, 1), radius: x.radius }),
    });
    expect(caught(() => wrong.bound({ network: { model: last, params: {} }, box }))).toMatchObject({
      problem: 'ibp: the rule for "mirror" (node "mirror1") returned a center of shape [5] instead of [5,3].',
    });
  });

  const backward = (step: (rows: Rows) => BackwardStep) => () => {
    const forward = extend(ibp, { mirror: (_node, _params, _, x) => ({ center: tf.neg(x.center), radius: x.radius }) });
    const table = extendBackward(linearRelaxation, { mirror: (_node, _params, _, rows) => step(rows) });
    return crownIbpOf({ forward, backward: table }).bound({ network: { model, params }, box });
  };
  it.each<[string, (rows: Rows) => BackwardStep, string]>([
    [
      'rows',
      ({ coefficients, count }) => ({ inputs: [{ coefficients: tf.expandDims(coefficients, 1), count }] }),
      'rows on "dense1" of shape [10,1,4] instead of [10,4]',
    ],
    [
      'another count',
      ({ coefficients }) => ({ inputs: [{ coefficients, count: 1 }] }),
      '1 rows on "dense1" instead of 2',
    ],
    ['no rows', () => ({ inputs: [] }), 'rows on 0 inputs instead of 1'],
    ['a bias', (rows) => ({ inputs: [rows], bias: tf.zeros([5]) }), 'a bias of shape [5] instead of [5,2]'],
  ])('backwards, %s', (_name, step, message) => {
    expect(caught(backward(step))).toMatchObject({
      code: 'shape-mismatch',
      problem: `linearRelaxation: the rule for "mirror" (node "mirror1") returned ${message}.`,
    });
  });
});

describe('extendRules', () => {
  it('adds an op to the tables that it has rules for, and leaves the given ones alone', () => {
    const rules = extendRules(standardRules, {
      mirror: {
        natural: (_node, _params, _, x) => tf.neg(x),
        ibp: (_node, _params, _, x) => ({ center: tf.neg(x.center), radius: x.radius }),
      },
    });
    expect('mirror' in standardRules.ibp.rules).toBe(false);
    expect(naturalPass({ model, params }, images, rules.natural).output.shape).toEqual([5, 2]);
    expect(rules.ibp.bound({ network: { model, params }, box }).output.lower.shape).toEqual([5, 2]);
    const crownIbp = crownIbpOf({ forward: rules.ibp, backward: rules.linearRelaxation });
    const error = caught(() => crownIbp.bound({ network: { model, params }, box }));
    expect(error).toBeInstanceOf(CertError);
    expect(error).toMatchObject({
      problem: 'linearRelaxation has no backward rule and no lines for "mirror" (node "mirror1").',
      cure: 'Add one with extendBackward(linearRelaxation, { mirror: rule }) or extendLines(linearRelaxation, { mirror: lines }).',
    });
  });
});

describe('what is no network', () => {
  const net = sequential([2], [dense(3), relu(), dense(2)]);
  const whole = {
    dense1: { kernel: tf.ones([2, 3]), bias: tf.zeros([3]) },
    dense2: { kernel: tf.ones([3, 2]), bias: tf.zeros([2]) },
  };
  const point = fromBounds(tf.zeros([1, 2]), tf.ones([1, 2]));
  const run = (params: Params, graph = net) => [
    () => naturalPass({ model: graph, params }, tf.zeros([1, 2])),
    ...[ibp, crownIbp, crown()].map((method) => () => method.bound({ network: { model: graph, params }, box: point })),
  ];

  it('a parameter that is missing is named', () => {
    for (const f of run({ ...whole, dense2: { kernel: whole.dense2.kernel } })) {
      expect(f).toThrow(/the parameter "bias" of node "dense2" \(dense\) is missing/);
    }
    for (const f of run({})) expect(f).toThrow(/the parameter "kernel" of node "dense1" .* is missing/);
  });

  it('a model of TensorFlow.js is refused', () => {
    // As a program without types would call it.
    const layers = JSON.parse('{ "layers": [] }');
    for (const f of run(whole, layers)) expect(f).toThrow(/was given a model that is not a graph of nodes/);
  });
});

import {
  type BoundMethod,
  dense,
  fromCenterRadius,
  INPUT,
  type Layer,
  type Tensor,
  type Tensor2D,
  tf,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { forward, intervalMethod } from '../test/interval-method.js';
import { boundMethodSuite } from './index.js';

describe('a correct interval method passes', () => {
  for (const { name, run } of boundMethodSuite({ method: intervalMethod(), forward })) it(name, run);
});

/** Keeps every dense layer as a linear function of the input, x M + b, and so is exact on chains of them. */
const symbolic: BoundMethod = {
  name: 'symbolic',
  bound({ network: { model, params }, box: input, spec }) {
    const [center, radius] = [
      tf.mul(tf.add(input.lower, input.upper), 0.5),
      tf.mul(tf.sub(input.upper, input.lower), 0.5),
    ];
    const concretize = (m: Tensor, b: Tensor) =>
      fromCenterRadius(
        tf.add(tf.matMul(center as Tensor2D, m as Tensor2D), b),
        tf.matMul(radius as Tensor2D, tf.abs(m) as Tensor2D),
      );
    let [matrix, bias]: [Tensor, Tensor] = [tf.eye(model.inputShape[0]!), tf.zeros([model.inputShape[0]!])];
    const at: { [node: string]: typeof input } = { [INPUT]: input };
    for (const node of model.nodes) {
      const { kernel, bias: own } = params[node.name]!;
      matrix = tf.matMul(matrix as Tensor2D, kernel as Tensor2D);
      bias = tf.add(tf.reshape(tf.matMul(tf.expandDims(bias) as Tensor2D, kernel as Tensor2D), [-1]), own!);
      at[node.name] = concretize(matrix, bias);
    }
    const { [model.nodes.at(-1)!.name]: logits, ...rest } = at;
    if (spec === undefined) return { output: logits!, at: rest };
    // [batch, rows, in]: each image has its own rows.
    const rows = tf.sum(tf.mul(tf.expandDims(spec.matrix, 2), matrix), 3);
    const apply = (m: Tensor, x: Tensor) => tf.sum(tf.mul(m, tf.expandDims(x, 1)), 2);
    const offset = apply(spec.matrix, tf.expandDims(bias));
    const output = fromCenterRadius(tf.add(apply(rows, center), offset), apply(tf.abs(rows), radius));
    return { output, at: rest };
  },
};

describe('exactOn: affine', () => {
  const suite = (method: BoundMethod) => boundMethodSuite({ method, forward, ops: ['dense'], exactOn: 'affine' });

  describe('passes a method that keeps linear functions', () => {
    for (const { name, run } of suite(symbolic)) it(name, run);
  });

  it('refuses interval arithmetic as too loose', async () => {
    const chain = suite(intervalMethod()).find(({ name }) => name.endsWith('(dense, dense)'))!;
    await expect(chain.run()).rejects.toMatchObject({
      code: 'broken-contract',
      message: expect.stringContaining('but the exact bound is'),
    });
  });
});

describe('options', () => {
  const names = (options: object) =>
    boundMethodSuite({ method: intervalMethod(), forward, ...options }).map(({ name }) => name);

  it('ops leaves out nets with other ops', () => {
    expect(names({ ops: ['dense', 'relu'] }).every((name) => /\((mlp|dense|relu)\)$/.test(name))).toBe(true);
    expect(names({ ops: ['dense', 'relu'] }).some((name) => name.endsWith('(mlp)'))).toBe(true);
  });

  it('differentiable, tightMargins and exactOn leave out their cases', () => {
    const all = names({}).length;
    expect(names({ differentiable: false }).length).toBe(all - 5);
    expect(names({ tightMargins: false }).length).toBe(all - 5);
    expect(names({ exactOn: 'nothing' }).some((name) => name.includes('is exact'))).toBe(false);
  });

  it('a layer that fits neither vectors nor images is refused', () => {
    const picky: Layer<'dense'> = { ...dense(3), infer: () => 'it takes words' };
    expect(() => names({ layers: [picky] })).toThrow(
      expect.objectContaining({ code: 'bad-argument', problem: expect.stringContaining('it takes words') }),
    );
  });

  it('catches a method whose gradient is undefined where a feature is immutable', async () => {
    const method = intervalMethod();
    const rooted: BoundMethod = {
      name: 'rooted',
      bound(problem) {
        const { output, at } = method.bound(problem);
        const { lower, upper } = problem.box;
        // Adds 0: the gradient of the root of no width is infinite, and 0 times that is NaN.
        const nothing = tf.mul(tf.sum(tf.sqrt(tf.sub(upper, lower))), 0);
        return { output: { lower: tf.add(output.lower, nothing), upper: output.upper }, at };
      },
    };
    const cases = boundMethodSuite({ method: rooted, forward, ops: ['dense', 'relu'], tightMargins: false });
    const gradients = cases.filter(({ name }) => name.includes('gradient of finite differences'));
    expect(gradients.length).toBeGreaterThan(0);
    for (const { run } of gradients) {
      await expect(run()).rejects.toMatchObject({
        ...{ code: 'broken-contract', problem: expect.stringContaining('immutable and one-sided features: element') },
      });
    }
  });

  it('building a suite makes no tensor, running it leaves none', async () => {
    const before = tf.memory().numTensors;
    const cases = boundMethodSuite({ method: intervalMethod(), forward, ops: ['dense', 'relu'] });
    expect(tf.memory().numTensors).toBe(before);
    for (const { run } of cases) await run();
    expect(tf.memory().numTensors).toBe(before);
  });
});

import { describe, expect, it } from 'vitest';
import {
  batchNorm,
  buildParams,
  checkParams,
  conv2d,
  countParams,
  dense,
  flatten,
  initialStats,
  paramSpecs,
  sequential,
  statSpecs,
  tf,
} from './index.js';

const model = sequential([4, 4, 2], [conv2d(3), batchNorm(), flatten(), dense(5)]);
const params = () => buildParams(paramSpecs(model), ({ shape }) => tf.zeros([...shape]));

describe('parameters of a model', () => {
  it('are listed in graph order', () => {
    expect(paramSpecs(model).map(({ node, name, shape }) => [`${node}.${name}`, shape])).toEqual([
      ['conv2d1.kernel', [3, 3, 2, 3]],
      ['conv2d1.bias', [3]],
      ['batchNorm1.gamma', [3]],
      ['batchNorm1.beta', [3]],
      ['dense1.kernel', [48, 5]],
      ['dense1.bias', [5]],
    ]);
    expect(statSpecs(model).map(({ node, name }) => `${node}.${name}`)).toEqual([
      'batchNorm1.mean',
      'batchNorm1.variance',
    ]);
  });

  it('are counted: 54 + 3 + 3 + 3 + 240 + 5', () => expect(countParams(model)).toBe(308));

  it('statistics start at mean 0 and variance 1', () => {
    const { batchNorm1 } = initialStats(model);
    expect([...batchNorm1!.mean!.data, ...batchNorm1!.variance!.data]).toEqual([0, 0, 0, 1, 1, 1]);
  });
});

describe('checkParams', () => {
  it('accepts what buildParams makes', () => {
    checkParams(model, params());
    checkParams(model, initialStats(model), 'stats');
  });

  it.each([
    [
      'a missing node',
      () => ({ conv2d1: params().conv2d1! }),
      'The params have no tensor at "batchNorm1.gamma", but the model needs the shape [3].',
    ],
    [
      'another shape',
      () => ({ ...params(), dense1: { kernel: tf.zeros([48, 4]), bias: tf.zeros([5]) } }),
      'The params have the shape [48,4] at "dense1.kernel", but the model needs the shape [48,5].',
    ],
    [
      'another rank',
      () => ({ ...params(), dense1: { kernel: tf.zeros([48, 5]), bias: tf.zeros([1, 5]) } }),
      'shape [1,5] at "dense1.bias"',
    ],
    [
      'a tensor too many',
      () => ({ ...params(), dense2: { bias: tf.zeros([5]) } }),
      'a tensor "dense2.bias", which the model does not have',
    ],
  ])('refuses %s', (_name, tree, problem) => {
    expect(() => checkParams(model, tree())).toThrow(
      expect.objectContaining({ code: 'shape-mismatch', problem: expect.stringContaining(problem) }),
    );
  });

  it('refuses statistics of another model', () => {
    expect(() => checkParams(model, {}, 'stats')).toThrow(/The stats have no tensor at "batchNorm1.mean"/);
  });
});

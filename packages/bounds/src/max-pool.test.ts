import { dense, flatten, fromBounds, maxPool, sequential, softmax, tf } from '@cert/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crown, crownIbp, ibp, linearRelaxation, lowerBound, naturalPass, nonlinearInputs, toRows } from './index.js';

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

const model = sequential([2, 2, 1], [maxPool(2), flatten()]);

/** Lower bounds of the maximum and of its negative on a box of four numbers, by their linear bounds on given intervals. */
function boundsOn(lower: number[], upper: number[]) {
  const box = fromBounds(tf.tensor(lower, [1, 2, 2, 1]), tf.tensor(upper, [1, 2, 2, 1]));
  const setting = { network: { model, params: {} }, box, at: { input: box } };
  const rows = toRows(tf.tensor([1, -1], [1, 2, 1]));
  return [...lowerBound(linearRelaxation, setting, 'flatten1', rows).dataSync()];
}

describe('linear bounds of a maximum', () => {
  it('are those of the winner where one is never below the others', () => {
    expect(boundsOn([2, -1, 0, 1], [3, 0, 1, 2])).toEqual([2, -3]);
  });

  it('are the largest lower and the largest upper bound elsewhere', () => {
    expect(boundsOn([0, 0.5, -1, -2], [1, 0.75, 2, 0])).toEqual([0.5, -2]);
  });

  it('count two equal points once', () => {
    expect(boundsOn([1, 1, 1, 0], [1, 1, 1, 1])).toEqual([1, -1]);
  });

  it.each([
    ['a lower end', [Number.NaN, 0, 0, 0], [1, 1, 1, 1]],
    ['an upper end', [0, 0, 0, 0], [1, 1, Number.NaN, 1]],
    ['all that is below', Array(4).fill(Number.NEGATIVE_INFINITY), [1, 1, 1, 1]],
  ])('are NaN where %s is unknown', (_what, lower, upper) => {
    for (const bound of boundsOn(lower, upper)) expect(bound).toBeNaN();
  });

  it('are not made of padding, however low the pixels are', () => {
    const padded = sequential([1, 1, 1], [maxPool(2, { padding: 1 }), flatten()]);
    const least = tf.fill([1, 1, 1, 1], -3.4e38);
    const box = fromBounds(least, least);
    for (const method of [ibp, crownIbp, crown()]) {
      const { upper } = method.bound({ network: { model: padded, params: {} }, box }).output;
      for (const end of upper.dataSync()) expect(end).toBeLessThan(-3e38);
    }
  });
});

it('softmax has values and no bounds', () => {
  const probabilities = sequential([2], [dense(2), softmax()]);
  const network = { model: probabilities, params: { dense1: { kernel: tf.eye(2), bias: tf.zeros([2]) } } };
  const x = tf.tensor2d([[Math.log(3), 0]]);
  expect([...naturalPass(network, x).output.dataSync()]).toEqual([expect.closeTo(0.75, 6), expect.closeTo(0.25, 6)]);
  expect(() => ibp.bound({ network, box: fromBounds(x, x) })).toThrow(/no rule for "softmax" \(node "softmax1"\)/);
  expect(() => crownIbp.bound({ network, box: fromBounds(x, x) })).toThrow(/softmax/);
});

it('nodes before ops that are not linear are those whose bounds are read', () => {
  expect(nonlinearInputs(model)).toEqual(['input']);
});

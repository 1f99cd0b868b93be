import {
  batchNorm,
  conv2d,
  dense,
  flatten,
  fromCenterRadius,
  type Params,
  relu,
  sequential,
  type Tensor,
  tf,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { conforms } from '../test/conforms.js';
import { l1 } from './l1.js';

const model = sequential([1, 1, 2], [conv2d(2, { kernel: 1, padding: 0 }), batchNorm(), relu(), flatten(), dense(2)]);
const box = fromCenterRadius(tf.zeros([1, 2]), tf.ones([1, 2]));
const paramsOf = (conv: Tensor, last: Tensor): Params => ({
  conv2d1: { kernel: conv, bias: tf.tensor1d([100, 100]) },
  batchNorm1: { gamma: tf.tensor1d([-50, 50]), beta: tf.tensor1d([7, 7]) },
  dense1: { kernel: last, bias: tf.tensor1d([1000, 1000]) },
});
const term = (conv: Tensor, last: Tensor) =>
  l1().term({ model, params: paramsOf(conv, last), input: box, bounds: { output: box, at: {} } });
const kernels = () => [tf.tensor4d([1, -2, 0, 3], [1, 1, 2, 2]), tf.tensor2d([-0.5, 0, 4, 5], [2, 2])] as const;

describe('l1', () => {
  it('adds the absolute values of kernels alone', () => {
    expect(term(...kernels()).dataSync()[0]).toBe(6 + 9.5);
  });

  it('has the sign as its gradient, 0 at 0', () => {
    const [conv, last] = tf.grads(term)([...kernels()]);
    expect([...conv!.dataSync()]).toEqual([1, -1, 0, 1]);
    expect([...last!.dataSync()]).toEqual([-1, 0, 1, 1]);
  });
});

conforms(l1());

import { type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { checkGradient } from './index.js';

const half = (x: Tensor): Tensor =>
  tf.customGrad((y) => ({ value: (y as Tensor).clone(), gradFunc: (dy: Tensor) => tf.mul(dy, 0.5) }))(x);

describe('checkGradient', () => {
  const x = tf.tensor1d([0.5, -1, 2, 3e-4]);
  const y = tf.tensor1d([1, 2, -3, 4]);

  it('accepts right gradients, with kinks, inputs that are not used, and vector outputs', async () => {
    await checkGradient((a) => tf.relu(a!), [x]);
    await checkGradient((a, b) => tf.mul(tf.exp(a!), tf.sin(b!)), [x, y]);
    await checkGradient((_, b) => tf.square(b!), [x, y]);
    await checkGradient((a) => tf.sum(tf.abs(tf.sub(a!, 100))), [x]);
  });

  it.each<[string, (...xs: Tensor[]) => Tensor, RegExp]>([
    ['half the gradient', (a) => half(tf.square(a!)), /with respect to the first is/],
    [
      'no gradient',
      (a) => tf.customGrad((z) => ({ value: (z as Tensor).clone(), gradFunc: (dy: Tensor) => tf.zerosLike(dy) }))(a!),
      /is 0 by the/,
    ],
    ['a wrong second input', (a, b) => tf.mul(a!, half(b!)), /with respect to the second/],
    ['an infinite gradient', (a) => tf.sqrt(tf.mul(a!, 0)), /element 0 of the gradient .* is/],
    ['an op without gradient', (a) => tf.cast(tf.greater(a!, 0), 'float32'), /it threw/],
  ])('refuses %s', async (_name, f, message) => {
    await expect(checkGradient(f, [x, y], { names: ['the first', 'the second'], who: 'f' })).rejects.toMatchObject({
      code: 'broken-contract',
      message: expect.stringMatching(message),
    });
  });

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await checkGradient((a) => tf.square(a!), [x]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

import { describe, expect, it } from 'vitest';
import { mask, stopGradient, type Tensor, tf, withGradient } from './index.js';

const values = (x: Tensor) => [...x.dataSync()];

describe('withGradient', () => {
  it('uses the gradient that it is given, of one input', () => {
    const magnitude = withGradient((x: Tensor) => ({
      value: tf.abs(x),
      saved: [x],
      gradient: (dy, input) => tf.mul(dy, tf.sign(input!)),
    }));
    const x = tf.tensor1d([-2, 0, 3]);
    expect(values(magnitude(x))).toEqual([2, 0, 3]);
    // TensorFlow.js takes -1 at 0.
    expect(values(tf.grad((y) => tf.sum(magnitude(y)))(x))).toEqual([-1, 0, 1]);
  });

  it('of two inputs, with nothing saved', () => {
    const left = withGradient((a: Tensor, b: Tensor) => ({
      value: tf.mul(a, b),
      gradient: (dy) => [dy, tf.mul(dy, 7)],
    }));
    const [a, b] = tf.grads((x, y) => tf.sum(left(x!, y!)))([tf.tensor1d([1, 2]), tf.tensor1d([3, 4])]);
    expect([values(a!), values(b!)]).toEqual([
      [1, 1],
      [7, 7],
    ]);
  });

  it('leaves nothing behind', () => {
    const double = withGradient((x: Tensor) => ({ value: tf.mul(x, 2), saved: [x], gradient: (dy) => tf.mul(dy, 2) }));
    const x = tf.scalar(1);
    const before = tf.memory().numTensors;
    tf.tidy(() => void tf.grad((y) => double(y))(x));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('stopGradient and mask', () => {
  it('are constants to differentiation', () => {
    const x = tf.tensor1d([-1, 2, 3]);
    const f = (y: Tensor) =>
      tf.sum(
        tf.mul(
          tf.mul(
            y,
            mask(() => tf.greater(y, 0)),
          ),
          stopGradient(() => tf.max(y)),
        ),
      );
    expect(values(f(x))).toEqual([15]);
    expect(values(tf.grad(f)(x))).toEqual([0, 3, 3]);
  });

  it('a comparison on the tape fails, which is why there is mask', () => {
    const f = (y: Tensor) => tf.sum(tf.mul(y, tf.cast(tf.greater(y, 0), 'float32')));
    expect(() => tf.grad(f)(tf.tensor1d([1]))).toThrow(/gradient/);
  });
});

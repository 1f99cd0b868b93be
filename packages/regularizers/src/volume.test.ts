import { dense, fromBounds, relu, sequential, type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { conforms } from '../test/conforms.js';
import { volume } from './volume.js';

/** dense1 and dense2 feed a ReLU, dense3 gives the logits. */
const model = sequential([2], [dense(2), relu(), dense(1), relu(), dense(2)]);
const context = (lower: Tensor, upper: Tensor) => {
  const dense1 = fromBounds(lower, upper);
  const dense2 = fromBounds(tf.tensor2d([[-3], [1]]), tf.tensor2d([[0.5], [4]]));
  return { model, params: {}, input: dense1, bounds: { output: dense1, at: { dense1, dense2 } } };
};
const lower = [-1, 2, -0.5, -4];
const upper = [3, 5, 0.25, -3];
const pair = () => [tf.tensor2d(lower, [2, 2]), tf.tensor2d(upper, [2, 2])] as const;

describe('volume', () => {
  it('is the mean over images and neurons of relu(-lower) * relu(upper), summed over ReLU inputs', () => {
    // dense1: 1 * 3, stable, 0.5 * 0.25, stable, over 4 neurons; dense2: 3 * 0.5 and a stable one, over 2.
    expect(
      volume()
        .term(context(...pair()))
        .dataSync()[0],
    ).toBeCloseTo((3 + 0.125) / 4 + 1.5 / 2, 6);
  });

  it('is twice the mean area of the triangle between the ReLU, its chord and its lower line', () => {
    const area = (l: number, u: number) => {
      // The chord from (l, 0) to (u, u) minus max(x, 0), in small steps.
      const steps = 20_000;
      let sum = 0;
      for (let i = 0; i < steps; i++) {
        const x = l + ((u - l) * (i + 0.5)) / steps;
        sum += ((u * (x - l)) / (u - l) - Math.max(x, 0)) * ((u - l) / steps);
      }
      return sum;
    };
    const one = volume().term({ ...context(...pair()), model: sequential([2], [dense(1), relu(), dense(2)]) });
    expect(one.dataSync()[0]).toBeCloseTo((2 * (area(-1, 3) + area(-0.5, 0.25))) / 4, 4);
  });

  it('has the gradient of its product where the neuron is unstable and none elsewhere', () => {
    const [byLower, byUpper] = tf.grads((l: Tensor, u: Tensor) => volume().term(context(l, u)))([...pair()]);
    // Adding 0 makes a 0 of -0.
    expect([...byLower!.dataSync()].map((g) => g + 0)).toEqual([-3 / 4, 0, -0.25 / 4, 0]);
    expect([...byUpper!.dataSync()]).toEqual([1 / 4, 0, 0.5 / 4, 0]);
  });
});

conforms(volume());

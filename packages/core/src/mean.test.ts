import { describe, expect, it } from 'vitest';
import { mean } from './mean.js';
import { type Tensor, tf } from './tf.js';

const x = tf.tensor3d([1, 2, 3, 4, 5, 6, -7, 8, 9, 10, 11, -12], [2, 3, 2]);

describe('mean', () => {
  it.each([{ axes: undefined }, { axes: [0, 1] }, { axes: [1] }, { axes: [2] }, { axes: [0, 1, 2] }])(
    'over $axes: the value and the gradient of tf.mean',
    ({ axes }) => {
      const weighted = (f: (t: Tensor) => Tensor) => (t: Tensor) => {
        const y = f(t);
        return tf.sum(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape)));
      };
      const [ours, theirs] = [(t: Tensor) => mean(t, axes), (t: Tensor) => tf.mean(t, axes)];
      expect(ours(x).shape).toEqual(theirs(x).shape);
      expect(ours(x).arraySync()).toEqual(theirs(x).arraySync());
      const [got, want] = [ours, theirs].map((f) => [...tf.grad(weighted(f))(x).dataSync()]);
      for (const [i, value] of got!.entries()) expect(value).toBeCloseTo(want![i]!, 6);
    },
  );
});

import { dense, flattenTree, fromBounds, type Regularizer, relu, sequential, type Tensor, tf } from '@cert/core';
import { eagerDevice, readTree } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { describe, expect, it } from 'vitest';
import { l1 } from './l1.js';
import { reluBalance } from './relu-balance.js';
import { reluStability } from './relu-stability.js';
import { tightness } from './tightness.js';
import { volume } from './volume.js';

const model = sequential([3], [dense(4), relu(), dense(2)]);
const numbers = (count: number, step: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * step));

/** The term and its gradients for the bounds at the ReLU and for the kernel of the layer before it. */
const asFunction =
  (regularizer: Regularizer) =>
  (kernel: Tensor, center: Tensor, radius: Tensor): { value: Tensor; grads: Tensor[] } => {
    const term = (k: Tensor, l: Tensor, u: Tensor) => {
      const dense1 = fromBounds(l, u);
      const params = {
        dense1: { kernel: k, bias: tf.zeros([4]) },
        dense2: { kernel: tf.ones([4, 2]), bias: tf.zeros([2]) },
      };
      const context = { model, params, input: dense1, bounds: { output: dense1, at: { dense1 } } };
      // A product with 0 makes every argument reach the term.
      const reached = tf.mul(tf.add(tf.add(tf.sum(k), tf.sum(l)), tf.sum(u)), 0);
      return tf.add(regularizer.term(context), reached).asScalar();
    };
    return tf.valueAndGrads(term)([kernel, tf.sub(center, radius), tf.add(center, radius)]);
  };

describe.each([tightness(), reluBalance(), reluStability(), volume(), l1()])('$name compiled', (regularizer) => {
  it('has the value and the gradients of the eager one', async () => {
    const devices = [eagerDevice(), await openDevice('cpu')];
    const results = [];
    for (const device of devices) {
      const f = device.jit(asFunction(regularizer));
      const kernel = device.put(numbers(12, 1), [3, 4]);
      const result = await f(
        kernel,
        device.put(numbers(8, 2), [2, 4]),
        device.put(numbers(8, 3).map(Math.abs), [2, 4]),
      );
      results.push(await readTree(result));
      await device.dispose();
    }
    const [eager, compiled] = results.map((tree) =>
      flattenTree(tree).flatMap(({ value }) => [...(value as Float32Array)]),
    );
    expect(compiled).toHaveLength(1 + 12 + 8 + 8);
    for (const [i, number] of eager!.entries()) expect(compiled![i]).toBeCloseTo(number, 4);
  });
});

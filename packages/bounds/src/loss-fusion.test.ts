import { createRng, dense, linfBall, relu, type Shape, sequential, sizeOf, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { fusedExponentials, ibp, marginSpec } from './index.js';

const random = (seed: number, shape: Shape) => {
  const rng = createRng(seed, 'loss-fusion');
  return tf.tensor(
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
    [...shape],
  );
};
const values = (x: { dataSync(): ArrayLike<number> }) => Array.from(x.dataSync());

const model = sequential([3], [dense(6), relu(), dense(4)]);
const params = (scale: number) => ({
  dense1: { kernel: random(1, [3, 6]), bias: random(2, [6]) },
  dense2: { kernel: tf.mul(random(3, [6, 4]), scale), bias: random(4, [4]) },
});
const labels = [2, 0, 3];
const images = random(5, [3, 3]);

function fused(scale: number, epsilon: number) {
  const spec = marginSpec(tf.tensor1d(labels, 'int32'), 4);
  const box = linfBall(images, epsilon, null);
  const bounds = ibp.bound({ network: { model, params: params(scale) }, box, spec });
  return { bounds, box, spec, ...fusedExponentials({ network: { model, params: params(scale) }, box, spec }, bounds) };
}

describe('fusedExponentials', () => {
  it('by IBP are 1 + sum exp(-lower margin)', () => {
    const { shift, ibp: sums, bounds } = fused(1, 0.1);
    const lower = bounds.output.lower.arraySync() as number[][];
    const expected = lower.map((row) => Math.log(1 + row.reduce((sum, m) => sum + Math.exp(-m), 0)));
    expect(values(tf.add(tf.log(sums), shift))).toEqual(expected.map((x) => expect.closeTo(x, 5)));
  });

  it('are the sums themselves on a box that is a point', () => {
    const { shift, ibp: sums, crownIbp, bounds } = fused(1, 0);
    const lower = bounds.output.lower.arraySync() as number[][];
    const exact = lower.map((row) => expect.closeTo(Math.log(1 + row.reduce((sum, m) => sum + Math.exp(-m), 0)), 5));
    expect(values(tf.add(tf.log(sums), shift))).toEqual(exact);
    expect(values(tf.add(tf.log(crownIbp), shift))).toEqual(exact);
  });

  it('of one dense layer: chords of margins that are known exactly', () => {
    const line = sequential([1], [dense(2)]);
    const weights = { dense1: { kernel: tf.tensor2d([[1, -1]]), bias: tf.tensor1d([0, 0]) } };
    // Label 0: logit_1 - logit_0 = -2 x in [-1, 1] for x in [-0.5, 0.5]; the chord of exp is greatest at 1: e.
    const spec = marginSpec(tf.tensor1d([0], 'int32'), 2);
    const box = linfBall(tf.tensor2d([[0]]), 0.5, null);
    const { shift, crownIbp } = fusedExponentials(
      { network: { model: line, params: weights }, box, spec },
      ibp.bound({ network: { model: line, params: weights }, box, spec }),
    );
    expect(values(shift)).toEqual([1]);
    expect(values(crownIbp)[0]).toBeCloseTo((1 + Math.E) / Math.E, 5);
  });

  it('bound the sum at every point that was tried', () => {
    const { shift, crownIbp } = fused(1, 0.3);
    const bound = values(tf.add(tf.log(crownIbp), shift));
    for (let i = 0; i < 200; i++) {
      const noise = tf.clipByValue(random(100 + i, [3, 3]), -1, 1);
      const { dense1, dense2 } = params(1);
      const hidden = tf.relu(
        tf.add(tf.matMul(tf.add(images, tf.mul(noise, 0.3)) as never, dense1.kernel as never), dense1.bias),
      );
      const logits = tf.add(tf.matMul(hidden as never, dense2.kernel as never), dense2.bias).arraySync() as number[][];
      logits.forEach((row, image) => {
        const sum = row.reduce((total, logit) => total + Math.exp(logit - row[labels[image]!]!), 0);
        expect(Math.log(sum)).toBeLessThanOrEqual(bound[image]! + 1e-5);
      });
    }
  });

  it('do not overflow for margins in the hundreds, and have finite gradients', () => {
    const { shift, ibp: sums, crownIbp } = fused(300, 0.5);
    for (const x of [...values(shift), ...values(sums), ...values(crownIbp)]) expect(Number.isFinite(x)).toBe(true);
    expect(Math.max(...values(shift))).toBeGreaterThan(100);
    const spec = marginSpec(tf.tensor1d(labels, 'int32'), 4);
    const gradient = tf.grad((kernel) => {
      const own = { dense1: params(1).dense1, dense2: { kernel, bias: random(4, [4]) } };
      const box = linfBall(images, 0.5, null);
      const bounds = ibp.bound({ network: { model, params: own }, box, spec });
      const { shift: s, crownIbp: c } = fusedExponentials({ network: { model, params: own }, box, spec }, bounds);
      return tf.sum(tf.add(tf.log(c), s));
    })(params(300).dense2.kernel);
    for (const x of values(gradient)) expect(Number.isFinite(x)).toBe(true);
  });
});

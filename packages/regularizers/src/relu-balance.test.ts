import { dense, fromBounds, fromCenterRadius, relu, sequential, type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { conforms } from '../test/conforms.js';
import { type LayerBalance, reluBalance, reluBalanceReport } from './relu-balance.js';

const model = sequential([2], [dense(4), relu(), dense(2)]);
const read = (tensor: Tensor) => tensor.dataSync()[0]!;

const contextOf = (center: Tensor, radius: Tensor) => {
  const at = { dense1: fromCenterRadius(center, radius) };
  return { model, params: {}, input: at.dense1, bounds: { output: at.dense1, at } };
};
const report = (center: number[], radius: number[] = center.map(() => 1)) =>
  reluBalanceReport(contextOf(tf.tensor2d([center]), tf.tensor2d([radius])));
const layer = (center: number[], radius?: number[]) => {
  const values = Object.entries(report(center, radius).layers.dense1!);
  return Object.fromEntries(values.map(([name, tensor]) => [name, read(tensor)])) as {
    [K in keyof LayerBalance]: number;
  };
};
/** The gradient of the term with respect to the centers. */
const slope = (center: number[], radius: number[] = center.map(() => 1)) => {
  const term = (c: Tensor) => reluBalance().term(contextOf(c, tf.tensor2d([radius])));
  return [
    ...tf
      .grad(term)(tf.tensor2d([center]))
      .dataSync(),
  ];
};

describe('reluBalance', () => {
  it('compares means and spreads of active and inactive neurons', () => {
    // Centers 2 (active), 0 (unstable), -4, -6 (inactive); mean -2.
    const got = layer([2, 0, -4, -6]);
    expect(got).toMatchObject({
      activeCount: 1,
      inactiveCount: 2,
      centerMean: -2,
      activeMean: 0.5,
      inactiveMean: -2.5,
    });
    expect(got).toMatchObject({ activeSpread: 16, inactiveSpread: 4 + 16, skipped: 0 });
    expect(got.meanRatio).toBeCloseTo(0.2, 6);
    expect(got.spreadRatio).toBeCloseTo(0.8, 6);
    expect(got.loss).toBeCloseTo((0.5 - 0.2) / 0.5, 6);
    // The other way round: ratios do not say which side is larger.
    const mirrored = layer([-2, 0, 4, 6]);
    expect(mirrored.meanRatio).toBeCloseTo(0.2, 6);
    expect(mirrored.loss).toBeCloseTo(0.6, 6);
  });

  it('counts a neuron whose bound is exactly 0 as unstable', () => {
    expect(layer([1, -1, 3, -3])).toMatchObject({ activeCount: 1, inactiveCount: 1 });
  });

  it('gives the full penalty 2 when no neuron is active, and skips a layer where none is inactive', () => {
    expect(layer([-2, 0, -4, -6])).toMatchObject({ loss: 2, skipped: 0, meanRatio: 0, spreadRatio: 0 });
    expect(layer([2, 0, 4, 6])).toMatchObject({ loss: 0, skipped: 1 });
    expect(layer([0, 0, 0, 0])).toMatchObject({ loss: 0, skipped: 1, activeCount: 0, inactiveCount: 0 });
    // Neurons that are all alike have no spread to compare.
    expect(layer([-2, -2, -2, -2])).toMatchObject({ loss: 0, skipped: 1 });
  });

  it.each([
    ['all active', [2, 3, 4, 6]],
    ['none stable', [0, 0.5, -0.5, 0]],
    ['all inactive', [-2, -3, -4, -6]],
    ['all alike', [-2, -2, -2, -2]],
    ['a NaN', [2, Number.NaN, -4, -6]],
    ['an infinity', [2, Number.POSITIVE_INFINITY, -4, -6]],
    ['an overflow', [1e30, 1, -4, -1e30]],
  ])('has a finite value and no gradient with %s', (_, center) => {
    expect([0, 2]).toContain(layer(center).loss);
    expect(slope(center).map(Math.abs)).toEqual([0, 0, 0, 0]);
  });

  it('keeps a skipped layer in the mean over layers', () => {
    const deep = sequential([2], [dense(4), relu(), dense(4), relu(), dense(2)]);
    const box = (center: number[]) => fromCenterRadius(tf.tensor2d([center]), tf.ones([1, 4]));
    const at = { dense1: box([2, 0, 4, 6]), dense2: box([2, 0, -4, -6]) };
    const context = { model: deep, params: {}, input: at.dense1, bounds: { output: at.dense1, at } };
    expect(read(reluBalance().term(context))).toBeCloseTo(0.3, 6);
    const bad = { ...at, dense1: box([2, Number.NaN, -4, -6]) };
    expect(read(reluBalance().term({ ...context, bounds: { output: at.dense1, at: bad } }))).toBeCloseTo(0.3, 6);
  });

  it('keeps the gradient of the other layers when one is NaN', () => {
    const deep = sequential([2], [dense(4), relu(), dense(4), relu(), dense(2)]);
    const term = (shift: number) => (center: Tensor) => {
      const box = (c: Tensor) => fromCenterRadius(c, tf.ones([1, 4]));
      const at = { dense1: box(center), dense2: box(tf.add(center, shift)) };
      return reluBalance().term({ model: deep, params: {}, input: at.dense1, bounds: { output: at.dense1, at } });
    };
    const alone = slope([2, 0, -4, -6]);
    expect(alone.some((g) => g !== 0)).toBe(true);
    for (const shift of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
      const both = tf.grad(term(shift))(tf.tensor2d([[2, 0, -4, -6]]));
      // The sum with 0 makes 0 of -0.
      expect(Array.from(both.dataSync(), (g) => g + 0)).toEqual(alone.map((g) => g / 2 + 0));
    }
  });

  it('has the gradient of finite differences, with masks held fixed', () => {
    const center = [2, 0.3, -4, -6];
    const got = slope(center);
    for (const i of center.keys()) {
      const step = 1e-2;
      const at = (by: number) => layer(center.map((c, k) => (k === i ? c + by : c))).loss;
      expect(got[i]).toBeCloseTo((at(step) - at(-step)) / (2 * step), 3);
    }
    // The radius enters the masks only.
    const byRadius = tf.grad((r: Tensor) =>
      tf.add(reluBalance().term(contextOf(tf.tensor2d([center]), r)), tf.mul(tf.sum(r), 0)),
    );
    expect([...byRadius(tf.ones([1, 4])).dataSync()]).toEqual([0, 0, 0, 0]);
  });

  it('works on plain lower and upper bounds', () => {
    const dense1 = fromBounds(tf.tensor2d([[1, -1, -5, -7]]), tf.tensor2d([[3, 1, -3, -5]]));
    const context = { model, params: {}, input: dense1, bounds: { output: dense1, at: { dense1 } } };
    expect(read(reluBalance().term(context))).toBeCloseTo(0.6, 6);
  });

  it('leaves no tensor behind', () => {
    const context = contextOf(tf.tensor2d([[2, 0, -4, -6]]), tf.ones([1, 4]));
    const before = tf.memory().numTensors;
    tf.tidy(() => reluBalance().term(context)).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses a tolerance that is not above 0', () => {
    expect(() => reluBalance({ tolerance: 0 })).toThrow('reluBalance: the tolerance is 0.');
  });
});

conforms(reluBalance(), reluBalance({ tolerance: 1.5 }));

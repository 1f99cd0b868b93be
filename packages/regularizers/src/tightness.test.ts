import {
  type Bounds,
  dense,
  fromCenterRadius,
  type IntervalTensor,
  relu,
  sequential,
  type Tensor,
  tf,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { conforms } from '../test/conforms.js';
import { tightness, tightnessReport } from './tightness.js';

/** dense1 and dense2 feed a ReLU, dense3 gives the logits. */
const model = sequential([2], [dense(2), relu(), dense(2), relu(), dense(2)]);

const box = (radius: number[]): IntervalTensor => fromCenterRadius(tf.tensor2d([[5, -5]]), tf.tensor2d([radius]));

const context = (input: number[], first: number[], second: number[]) => {
  const logits = box([100, 100]);
  const at = { input: box(input), dense1: box(first), dense2: box(second) };
  const bounds: Bounds = { output: logits, at };
  return { model, params: {}, input: at.input, bounds };
};
const read = (tensor: Tensor) => tensor.dataSync()[0]!;

describe('tightness', () => {
  it('is the mean over ReLU inputs of relu(tolerance - r0 / r) / tolerance', () => {
    // r0 = 2; the layers have mean radius 8 and 16, so ratios 1/4 and 1/8: (0.25 / 0.5 + 0.375 / 0.5) / 2.
    const report = tightnessReport(context([1, 3], [4, 12], [16, 16]));
    expect(read(report.inputRadius)).toBe(2);
    expect(Object.keys(report.layers)).toEqual(['dense1', 'dense2']);
    expect(read(report.layers.dense1!.meanRadius)).toBe(8);
    expect(read(report.layers.dense2!.ratio)).toBe(0.125);
    expect(read(report.layers.dense2!.loss)).toBe(0.75);
    expect(read(report.loss)).toBe(0.625);
    expect(read(tightness().term(context([1, 3], [4, 12], [16, 16])))).toBe(0.625);
    expect(read(tightness({ tolerance: 0.25 }).term(context([1, 3], [4, 12], [16, 16])))).toBe(0.25);
  });

  it('asks nothing of bounds that are tight enough', () => {
    expect(read(tightness().term(context([1, 1], [2, 2], [0.5, 0.5])))).toBe(0);
  });

  it('has neither an infinite value nor a NaN gradient where nothing is reached', () => {
    const term = (radius: Tensor) => {
      const at = { dense1: fromCenterRadius(tf.zeros([1, 2]), radius), dense2: box([16, 16]) };
      return tightness().term({ model, params: {}, input: box([1, 3]), bounds: { output: at.dense2, at } });
    };
    expect(read(term(tf.zeros([1, 2])))).toBe(0.375);
    expect([
      ...tf
        .grad(term)(tf.zeros([1, 2]))
        .dataSync(),
    ]).toEqual([0, 0]);
  });

  it('keeps a radius that float32 bounds would lose', () => {
    const tiny = 1e-9;
    const report = tightnessReport(context([tiny, tiny], [4 * tiny, 4 * tiny], [8 * tiny, 8 * tiny]));
    expect(read(report.layers.dense1!.ratio)).toBeCloseTo(0.25, 6);
    expect(read(report.loss)).toBeCloseTo(0.625, 6);
  });

  it('is 0 for a model without ReLU', () => {
    const linear = sequential([2], [dense(2)]);
    const none = { model: linear, params: {}, input: box([1, 1]), bounds: { output: box([1, 1]), at: {} } };
    expect(read(tightness().term(none))).toBe(0);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the tolerance %s', (tolerance) => {
    expect(() => tightness({ tolerance })).toThrow(`tightness: the tolerance is ${tolerance}.`);
    expect(() => tightness({ tolerance })).toThrow(/Give a finite number above 0/);
  });
});

conforms(tightness(), tightness({ tolerance: 0.9 }));

import { dense, fromCenterRadius, type Regularizer, type Scalar, sequential, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { conforms } from '../test/conforms.js';
import { reluBalance } from './relu-balance.js';
import { tightness } from './tightness.js';
import { weightedSum } from './weighted-sum.js';

const constant = (name: string, value: number): Regularizer => ({ name, term: () => tf.scalar(value) });
const box = fromCenterRadius(tf.zeros([1, 2]), tf.ones([1, 2]));
const context = { model: sequential([2], [dense(2)]), params: {}, input: box, bounds: { output: box, at: {} } };
const read = (term: Scalar) => term.dataSync()[0];

describe('weightedSum', () => {
  it('adds weight times term and is itself a regularizer', () => {
    const inner = weightedSum([
      [1, constant('a', 3)],
      [0.5, constant('b', 4)],
    ]);
    expect(inner.name).toBe('a + 0.5 * b');
    expect(read(inner.term(context))).toBe(5);
    expect(read(weightedSum([[2, inner]]).term(context))).toBe(10);
    expect(weightedSum([[2, inner]]).name).toBe('2 * (a + 0.5 * b)');
  });

  it('is 0 for nothing', () => {
    expect(weightedSum([]).name).toBe('none');
    expect(read(weightedSum([]).term(context))).toBe(0);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses the weight %s', (weight) => {
    expect(() => weightedSum([[weight, constant('a', 1)]])).toThrow(`The weight of the regularizer "a" is ${weight}.`);
  });
});

conforms(
  weightedSum([
    [1, tightness({ tolerance: 0.9 })],
    [0.25, reluBalance()],
  ]),
);

import { type Tensor, tf } from '@cert/core';
import { expect, it } from 'vitest';
import { choose, clampTo } from './clamp.js';

const values = (x: Tensor) => [...x.dataSync()];

it('clampTo leaves no NaN and nothing outside the box', () => {
  const x = tf.tensor1d([Number.NaN, -1, 0.5, 2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  expect(values(clampTo(x, { lower: tf.zerosLike(x), upper: tf.onesLike(x) }))).toEqual([0, 0, 0.5, 1, 1, 0]);
});

it('choose takes whole images, whatever the other one holds', () => {
  const a = tf.tensor2d([
    [1, 2],
    [Number.NaN, Number.NaN],
  ]);
  expect(
    values(
      choose(
        tf.tensor1d([1, 0]),
        a,
        tf.tensor2d([
          [Number.NaN, 0],
          [5, 6],
        ]),
      ),
    ),
  ).toEqual([1, 2, 5, 6]);
});

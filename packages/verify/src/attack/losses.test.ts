import { type Tensor, tf } from '@cert/core';
import { expect, it } from 'vitest';
import { crossEntropyLoss, marginLoss, targetedDlrLoss, targetedMargin } from './losses.js';

const values = (x: Tensor) => [...x.dataSync()];
const labels = tf.tensor1d([0, 2], 'int32');
const targets = tf.tensor1d([1, 0]);
const logits = tf.tensor2d([
  [3, 1, 0, -2, 2],
  [1, 0.5, 4, 4, -1],
]);

it('are those computed by hand', () => {
  expect(values(marginLoss(logits, labels, targets))).toEqual([-1, 0]);
  expect(values(targetedMargin(logits, labels, targets))).toEqual([-2, -3]);
  // (1 - 3) / (3 - (1 + 0) / 2); equal logits count twice: (1 - 4) / (4 - (1 + 0.5) / 2).
  const [first, second] = values(targetedDlrLoss(logits, labels, targets));
  expect(first).toBeCloseTo(-2 / 2.5, 6);
  expect(second).toBeCloseTo(-3 / 3.25, 6);
  const others = Math.log(Math.exp(-2) + Math.exp(-3) + Math.exp(-5) + Math.exp(-1));
  expect(values(crossEntropyLoss(logits, labels, targets))[0]).toBeCloseTo(others, 5);
});

it('the DLR loss is the difference itself for fewer than four classes, and finite where all logits are equal', () => {
  const three = tf.tensor2d([[3, 1, 0]]);
  expect(values(targetedDlrLoss(three, tf.tensor1d([0], 'int32'), tf.tensor1d([2])))).toEqual([-3]);
  const equal = tf.zeros([1, 5]);
  expect(values(targetedDlrLoss(equal, tf.tensor1d([0], 'int32'), tf.tensor1d([2])))).toEqual([0]);
});

it.each([
  ['crossEntropyLoss', crossEntropyLoss],
  ['targetedDlrLoss', targetedDlrLoss],
])('the gradient of %s is that of finite differences', (_, loss) => {
  const apart = tf.tensor2d([[3, 1, 0, -2, 2]]);
  const [label, target] = [tf.tensor1d([0], 'int32'), tf.tensor1d([1])];
  const at = (x: Tensor) => tf.sum(loss(x, label, target)).asScalar();
  const gradient = values(tf.grad(at)(apart));
  gradient.forEach((slope, j) => {
    const step = tf.mul(tf.oneHot(tf.tensor1d([j], 'int32'), 5), 0.01);
    const difference = tf.sub(at(tf.add(apart, step)), at(tf.sub(apart, step)));
    expect(slope).toBeCloseTo(values(difference)[0]! / 0.02, 2);
  });
});

import { add, affine, conv2d, flatten, graph, type Model, type NodeOf } from '@cert/core';
import { expect, it } from 'vitest';
import { addRoundingsOf, roundingsOf, shiftRoundingsOf } from './terms.js';

const nodeOf = <K extends 'add' | 'affine' | 'conv2d'>({ nodes }: Model, op: K) =>
  nodes.find((node) => node.op === op) as NodeOf<K>;

/** A convolution of 9 products, and the sum of its result with the input, as images or as vectors. */
function residual(asVectors: boolean): Model {
  const g = graph([2, 2, 1]);
  const sum = g.add(conv2d(1));
  g.add(add(), asVectors ? [g.add(flatten(), [sum]), g.add(flatten(), ['input'])] : [sum, 'input']);
  g.add(flatten());
  return g.build();
}

it('an operand of a residual sum counts for the roundings of the sum that it may be taken into, moved or not', () => {
  for (const model of [residual(false), residual(true)]) {
    // 9 products, the bias and the operand; each product has one rounding more than additions.
    expect(roundingsOf(model, nodeOf(model, 'conv2d'))).toBe(11);
    expect(addRoundingsOf(model, nodeOf(model, 'add'))).toBeGreaterThanOrEqual(11);
  }
});

it('a constant shift counts for the roundings of the layer that it may be folded into', () => {
  const g = graph([2, 2, 1]);
  g.add(conv2d(1));
  g.add(affine([1], [2]));
  g.add(flatten());
  const model = g.build();
  expect(shiftRoundingsOf(model, nodeOf(model, 'affine'))).toBeGreaterThan(11);
  expect(roundingsOf(model, nodeOf(model, 'conv2d'))).toBeGreaterThan(11);
});

import { crownMargins, ibp, marginSpec, naturalPass } from '@cert/bounds';
import {
  createRng,
  dense,
  linfBall,
  type Model,
  relu,
  type Scalar,
  sequential,
  type Tensor,
  tf,
  toTensors,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { describe, expect, it } from 'vitest';
import { conforms } from '../../test/conforms.js';
import { crossEntropy } from '../loss.js';
import { crownIbpObjective } from './crown-ibp.js';
import type { BoundedContext, BoundedObjective } from './objective.js';
import { robustObjective } from './robust.js';

const number = (scalar: Scalar) => scalar.dataSync()[0]!;
const rows = (tensor: Tensor) => tensor.arraySync() as number[][];
const rng = createRng(4, 'crown-ibp-test');
const images = tf.tensor2d(Float32Array.from({ length: 24 }, rng.uniform), [6, 4]);
const labels = tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32');

/** What a step hands to its objective, for a model without BatchNorm. */
function contextOf(model: Model, epsilon: number, ramp: number): BoundedContext {
  const params = toTensors(ibpInit(model, 5));
  const { output: logits, norm } = naturalPass({ model, params, norm: 'batch' }, images);
  const input = linfBall(images, epsilon);
  const spec = marginSpec(labels, model.classes);
  const network = { model, params, norm };
  const problem = { network, box: input, spec };
  return {
    ...{ network, labels, logits, hyper: { ramp: tf.scalar(ramp) }, problem, bounds: ibp.bound(problem), choice: {} },
    forward: (points) => naturalPass(network, points).output,
  };
}

const net = sequential([4], [dense(8), relu(), dense(8), relu(), dense(3)]);
const loss = (objective: BoundedObjective, context: BoundedContext) => number(objective.loss(context));
const [mixed, fused, robust] = [crownIbpObjective({ fusion: false }), crownIbpObjective(), robustObjective()];

describe('crownIbpObjective', () => {
  it.each([0, 0.3, 1])('mixes the margins of CROWN-IBP and IBP at ramp %f', (ramp) => {
    const context = contextOf(net, 0.1, ramp);
    const { problem, bounds } = context;
    const crown = rows(crownMargins(problem, bounds.at));
    const losses = rows(bounds.output.lower).map((margins, i) => {
      const mixedMargins = margins.map((margin, j) => (1 - ramp) * crown[i]![j]! + ramp * margin);
      return Math.log(1 + mixedMargins.reduce((sum, margin) => sum + Math.exp(-margin), 0));
    });
    expect(loss(mixed, context)).toBeCloseTo(losses.reduce((a, b) => a + b) / losses.length, 5);
  });

  it('is the robust loss of IBP where nothing of CROWN-IBP is left', () => {
    const context = contextOf(net, 0.1, 1);
    expect(loss(mixed, context)).toBeCloseTo(loss(robust, context), 5);
    expect(loss(fused, context)).toBeCloseTo(loss(robust, context), 5);
  });

  it('bounds the loss at every point of the ball', () => {
    const context = contextOf(net, 0.15, 0);
    const { lower, upper } = context.problem.box;
    const least = Math.min(loss(mixed, context), loss(fused, context));
    for (let i = 0; i < 20; i++) {
      const share = tf.tensor2d(Float32Array.from({ length: 24 }, rng.uniform), [6, 4]);
      const point = tf.add(lower, tf.mul(share, tf.sub(upper, lower)));
      const { output } = naturalPass({ model: net, params: context.network.params, norm: 'batch' }, point);
      expect(number(crossEntropy(output, labels))).toBeLessThanOrEqual(least + 1e-6);
    }
  });

  it('is exact for a linear classifier without fusion, at any mixture', () => {
    const linear = sequential([4], [dense(3)]);
    for (const ramp of [0, 0.5]) {
      const context = contextOf(linear, 0.1, ramp);
      expect(loss(mixed, context)).toBeCloseTo(loss(robust, context), 5);
    }
  });

  it('adds the natural loss when it is given a weight', () => {
    const context = contextOf(net, 0.1, 0.5);
    const natural = number(crossEntropy(context.logits, labels));
    expect(loss(crownIbpObjective({ naturalWeight: 0.5 }), context)).toBeCloseTo(loss(fused, context) + natural / 2, 5);
  });
});

conforms(crownIbpObjective(), crownIbpObjective({ fusion: false }));

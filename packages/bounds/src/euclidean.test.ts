import {
  add,
  buildParams,
  conv2d,
  createRng,
  dense,
  flatten,
  graph,
  l2,
  linf,
  linfBall,
  type Model,
  type Params,
  paramSpecs,
  perturbationBox,
  projection,
  relu,
  type Scalar,
  type Shape,
  sequential,
  sizeOf,
  type Tensor,
  tf,
  valueAndGrad,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { crown, crownIbp, ibp, marginSpec, naturalPass } from './index.js';

const random = (seed: number, shape: Shape, scale = 1): Tensor => {
  const rng = createRng(seed, 'values', ...shape);
  return tf.tensor(
    Array.from({ length: sizeOf(shape) }, () => scale * rng.normal()),
    [...shape],
  );
};
const draw = (model: Model, seed: number): Params =>
  buildParams(paramSpecs(model), ({ node, shape }) => random(seed + node.length, shape, 0.5));
const numbers = (x: Tensor) => [...x.dataSync()];

/** Residual and convolutional: rows of receptive fields and of whole images. */
function residualNet(): Model {
  const net = graph([5, 5, 1]);
  const stem = net.add(relu(), [net.add(conv2d(3))]);
  const main = net.add(conv2d(3), [stem]);
  net.add(relu(), [net.add(add(), [main, stem])]);
  net.add(flatten());
  net.add(dense(3));
  return net.build();
}

describe('bounds over a Euclidean ball', () => {
  it('are exact for a linear function: the radius times the norm of its coefficients', () => {
    const model = sequential([3], [dense(2)]);
    const params = {
      dense1: {
        kernel: tf.tensor2d([
          [3, 0],
          [4, 1],
          [0, 0],
        ]),
        bias: tf.tensor1d([1, 2]),
      },
    };
    const box = perturbationBox(l2({ epsilon: 0.5, range: null }), tf.tensor2d([[1, 2, 3]]));
    for (const method of [crown(), crownIbp]) {
      const { lower, upper } = method.bound({ network: { model, params }, box }).output;
      expect(numbers(lower)).toEqual([expect.closeTo(12 - 2.5, 5), expect.closeTo(4 - 0.5, 5)]);
      expect(numbers(upper)).toEqual([expect.closeTo(12 + 2.5, 5), expect.closeTo(4 + 0.5, 5)]);
    }
    // By the box around the ball: 0.5 (3 + 4).
    const loose = numbers(ibp.bound({ network: { model, params }, box }).output.lower);
    expect(loose[0]).toBeCloseTo(12 - 3.5, 5);
  });

  it('use the box where the range cuts the ball', () => {
    const model = sequential([2], [dense(1)]);
    const params = { dense1: { kernel: tf.tensor2d([[1], [0.1]]), bias: tf.tensor1d([0]) } };
    const box = perturbationBox(l2({ epsilon: 0.5 }), tf.tensor2d([[0, 0.5]]));
    const { lower } = crown().bound({ network: { model, params }, box }).output;
    // The first input cannot go below 0; the ball alone would allow 0.05 - 0.5 * |(1, 0.1)|.
    expect(numbers(lower)[0]).toBeCloseTo(0, 5);
  });

  it.each([3, 4, 5])(
    'contain what points of the ball reach, and are tighter than those of its box (seed %i)',
    (seed) => {
      tf.tidy(() => {
        const model = residualNet();
        const params = draw(model, seed);
        const x = random(seed, [2, 5, 5, 1], 0.5);
        const set = l2({ epsilon: 0.4, range: null });
        const spec = marginSpec(tf.tensor1d([0, 2], 'int32'), 3);
        const network = { model, params };
        const ball = perturbationBox(set, x);
        const box = linfBall(x, 0.4, null);
        const into = projection(set, x);
        const reached = Array.from({ length: 30 }, (_, i) => {
          const points = into(tf.add(x, random(100 * seed + i, x.shape, 10)));
          return tf.squeeze(tf.matMul(spec.matrix, tf.expandDims(naturalPass(network, points).output, 2)), [2]);
        });
        const least = numbers(tf.min(tf.stack(reached), 0));
        for (const method of [crown(), crownIbp]) {
          const inBall = numbers(method.bound({ network, box: ball, spec }).output.lower);
          const inBox = numbers(method.bound({ network, box, spec }).output.lower);
          for (const [i, bound] of inBall.entries()) {
            expect(bound).toBeLessThanOrEqual(least[i]! + 1e-4);
            expect(bound).toBeGreaterThan(inBox[i]!);
          }
        }
      });
    },
  );

  it('do not lose small coefficients to underflow', () => {
    const model = sequential([2], [dense(2)]);
    const params = {
      dense1: {
        kernel: tf.tensor2d([
          [1e-23, 0],
          [0, 1e-23],
        ]),
        bias: tf.zeros([2]),
      },
    };
    const box = perturbationBox(l2({ epsilon: 100, range: null }), tf.tensor2d([[1, 0]]));
    const spec = marginSpec(tf.tensor1d([0], 'int32'), 2);
    for (const method of [crown(), crownIbp]) {
      const { lower } = method.bound({ network: { model, params }, box, spec }).output;
      expect(numbers(lower)[0]).toBeLessThan(0);
    }
  });

  it('take what the range fixes from the range', () => {
    const model = sequential([2], [dense(1)]);
    const params = { dense1: { kernel: tf.tensor2d([[1], [0]]), bias: tf.tensor1d([-1e6 - 0.5]) } };
    const range = { min: [1e6, -1], max: [1e6, 1] };
    const box = perturbationBox(l2({ epsilon: 1, range }), tf.tensor2d([[1e6 + 0.9375, 0]]));
    const { lower } = crown().bound({ network: { model, params }, box }).output;
    expect(numbers(lower)[0]! > 0).toBe(false);
  });

  it('have gradients, also where a row is zero', () => {
    const model = sequential([3], [dense(4), relu(), dense(2)]);
    const params = draw(model, 3);
    // Behind inactive neurons alone, as for the first input, the bound does not depend on the input.
    const x = tf.tensor2d([
      [-9, -9, -9],
      [0.3, -0.2, 0.5],
    ]);
    const inactive = tf.abs(params.dense1!.kernel!);
    const start = { ...params, dense1: { kernel: inactive, bias: tf.zeros([4]) } };
    const box = perturbationBox(l2({ epsilon: 0.3, range: null }), x);
    const spec = marginSpec(tf.tensor1d([0, 1], 'int32'), 2);
    const total = (at: Params) => tf.sum(crownIbp.bound({ network: { model, params: at }, box, spec }).output.lower);
    const { grads } = valueAndGrad((at) => ({ value: total(at) as Scalar, aux: {} }), start);
    const moved = (step: number): number => {
      const kernel = tf.add(inactive, tf.mul(random(8, [3, 4]), step));
      return numbers(total({ ...start, dense1: { ...start.dense1, kernel } }))[0]!;
    };
    const slope = numbers(tf.sum(tf.mul(grads.dense1!.kernel!, random(8, [3, 4]))))[0]!;
    expect(slope).toBeCloseTo((moved(1e-2) - moved(-1e-2)) / 2e-2, 2);
    expect(slope).not.toBeCloseTo(0, 2);
  });

  it('prove nothing where the ball has no point in the range', () => {
    const model = sequential([1], [dense(1)]);
    const params = { dense1: { kernel: tf.tensor2d([[1]]), bias: tf.tensor1d([5]) } };
    const box = perturbationBox(l2({ epsilon: 0.1 }), tf.tensor2d([[3]]));
    const { lower } = crown().bound({ network: { model, params }, box }).output;
    expect(numbers(lower)[0]! > 0).toBe(false);
  });
});

it('an immutable feature does not widen a bound, and a one-sided one widens one end', () => {
  const model = sequential([3], [dense(1)]);
  const params = { dense1: { kernel: tf.tensor2d([[10], [1], [1]]), bias: tf.tensor1d([0]) } };
  const set = linf({ epsilon: 0.25, scale: [0, 1, 1], down: [0, 1, 0], range: null });
  const box = perturbationBox(set, tf.tensor2d([[1, 1, 1]]));
  for (const method of [ibp, crown(), crownIbp]) {
    const { lower, upper } = method.bound({ network: { model, params }, box }).output;
    expect([...numbers(lower), ...numbers(upper)]).toEqual([expect.closeTo(11.75, 5), expect.closeTo(12.5, 5)]);
  }
});

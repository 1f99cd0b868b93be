import {
  add,
  affine,
  avgPool,
  type BatchNormStats,
  batchNorm,
  concat,
  conv2d,
  dense,
  flatten,
  fromBounds,
  fromCenterRadius,
  globalAvgPool,
  graph,
  INPUT,
  type IntervalTensor,
  leakyRelu,
  type Model,
  maxPool,
  type Params,
  relu,
  reshape,
  type Shape,
  sigmoid,
  tanh,
  tf,
  transpose,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { ibp, naturalPass } from './index.js';

const t = (values: number[], shape: Shape) => tf.tensor(values, [...shape]);

/** One layer, its parameters, and what goes in and must come out, worked out by hand. */
interface Case {
  readonly name: string;
  readonly model: Model;
  readonly params?: Params;
  readonly norm?: BatchNormStats;
  readonly box: { lower: number[]; upper: number[] };
  readonly expected: { lower: number[]; upper: number[] };
  /** A point of the box and its value. */
  readonly point: [number[], number[]];
}

const one = (shape: Shape, build: (g: ReturnType<typeof graph>) => unknown): Model => {
  const g = graph(shape);
  build(g);
  // Not build(): a layer alone need not end in a vector.
  const name = 'end';
  g.add(flatten(), undefined, name);
  return g.build();
};

const cases: Case[] = [
  {
    name: 'dense',
    model: one([2], (g) => g.add(dense(2))),
    // Columns (1, -2) and (3, 0.5).
    params: { dense1: { kernel: t([1, 3, -2, 0.5], [2, 2]), bias: t([10, -1], [2]) } },
    box: { lower: [0, -1], upper: [1, 1] },
    // 10 + [0, 1] - 2 [-1, 1]; -1 + 3 [0, 1] + 0.5 [-1, 1].
    expected: { lower: [8, -1.5], upper: [13, 2.5] },
    point: [
      [1, 1],
      [9, 2.5],
    ],
  },
  {
    name: 'conv2d, padding on every side with stride 2',
    model: one([2, 2, 1], (g) => g.add(conv2d(1, { kernel: 3, stride: 2, padding: 1 }))),
    // Window from (-1, -1) to (1, 1): the image lies under the lower right 2x2 of the kernel.
    params: { conv2d1: { kernel: t([9, 9, 9, 9, 1, -2, 9, -3, 4], [3, 3, 1, 1]), bias: t([0.5], [1]) } },
    box: { lower: [0, 0, 0, -1], upper: [1, 1, 1, 1] },
    // 0.5 + [0, 1] - 2 [0, 1] - 3 [0, 1] + 4 [-1, 1].
    expected: { lower: [-8.5], upper: [5.5] },
    point: [[1, 0, 0, 1], [5.5]],
  },
  {
    name: 'conv2d in 2 groups',
    model: one([1, 1, 2], (g) => g.add(conv2d(2, { kernel: 1, padding: 0, groups: 2 }))),
    params: { conv2d1: { kernel: t([2, -3], [1, 1, 1, 2]), bias: t([0, 1], [2]) } },
    box: { lower: [-1, 0], upper: [1, 2] },
    expected: { lower: [-2, -5], upper: [2, 1] },
    point: [
      [1, 2],
      [2, -5],
    ],
  },
  {
    name: 'batchNorm with a negative scale',
    model: one([2], (g) => g.add(batchNorm({ epsilon: 0.25 }))),
    params: { batchNorm1: { gamma: t([-4, 2], [2]), beta: t([1, 0], [2]) } },
    // Scales -4 / sqrt(3.75 + 0.25) = -2 and 2 / sqrt(0.75 + 0.25) = 2.
    norm: { batchNorm1: { mean: t([1, 0], [2]), variance: t([3.75, 0.75], [2]) } },
    box: { lower: [0, 0], upper: [1, 3] },
    expected: { lower: [1, 0], upper: [3, 6] },
    point: [
      [0, 1],
      [3, 2],
    ],
  },
  {
    name: 'relu: active, inactive, unstable, at zero',
    model: one([5], (g) => g.add(relu())),
    box: { lower: [1, -3, -2, 0, -1], upper: [2, -1, 4, 3, 0] },
    expected: { lower: [1, 0, 0, 0, 0], upper: [2, 0, 4, 3, 0] },
    point: [
      [1, -2, -1, 2, 0],
      [1, 0, 0, 2, 0],
    ],
  },
  {
    name: 'add',
    model: one([2], (g) => g.add(add(), [INPUT, INPUT])),
    box: { lower: [-1, 2], upper: [1, 2] },
    expected: { lower: [-2, 4], upper: [2, 4] },
    point: [
      [0.5, 2],
      [1, 4],
    ],
  },
  {
    name: 'flatten, row-major',
    model: one([2, 1, 2], (g) => g.add(flatten())),
    box: { lower: [1, 2, 3, 4], upper: [2, 4, 6, 8] },
    expected: { lower: [1, 2, 3, 4], upper: [2, 4, 6, 8] },
    point: [
      [1, 3, 5, 7],
      [1, 3, 5, 7],
    ],
  },
  {
    name: 'globalAvgPool',
    model: one([2, 1, 2], (g) => g.add(globalAvgPool())),
    box: { lower: [0, 1, 2, 3], upper: [2, 1, 4, 7] },
    expected: { lower: [1, 2], upper: [3, 4] },
    point: [
      [1, 1, 3, 4],
      [2, 2.5],
    ],
  },
  {
    name: 'avgPool, the last row and column left out',
    model: one([3, 3, 1], (g) => g.add(avgPool(2))),
    box: { lower: [0, 2, 9, 4, 6, 9, 9, 9, 9], upper: [4, 2, 9, 8, 6, 9, 9, 9, 9] },
    expected: { lower: [3], upper: [5] },
    point: [[2, 2, 9, 4, 6, 9, 9, 9, 9], [3.5]],
  },
  {
    name: 'conv2d with a dilated kernel of 1x2, padded on the right',
    model: one([1, 3, 1], (g) => g.add(conv2d(1, { kernel: [1, 2], dilation: [1, 2], padding: [0, 0, 0, 1] }))),
    params: { conv2d1: { kernel: t([2, -1], [1, 2, 1, 1]), bias: t([1], [1]) } },
    box: { lower: [0, 1, 2], upper: [1, 3, 4] },
    // 1 + 2 [0, 1] - [2, 4]; 1 + 2 [1, 3] with padding under the second element.
    expected: { lower: [-3, 3], upper: [1, 7] },
    point: [
      [1, 2, 3],
      [0, 5],
    ],
  },
  {
    name: 'avgPool of 2x1 with a stride of 1, a place above left out of the mean',
    model: one([2, 1, 1], (g) => g.add(avgPool([2, 1], { stride: 1, padding: [1, 0, 0, 0] }))),
    box: { lower: [0, 2], upper: [4, 2] },
    expected: { lower: [0, 1], upper: [4, 3] },
    point: [
      [2, 2],
      [2, 2],
    ],
  },
  {
    name: 'avgPool of 2x1 with a stride of 1, a place above counted as 0',
    model: one([2, 1, 1], (g) => g.add(avgPool([2, 1], { stride: 1, padding: [1, 0, 0, 0], countPadding: true }))),
    box: { lower: [0, 2], upper: [4, 2] },
    expected: { lower: [0, 1], upper: [2, 3] },
    point: [
      [2, 2],
      [1, 2],
    ],
  },
  {
    name: 'maxPool of 2x2 where padding never wins',
    model: one([2, 2, 1], (g) => g.add(maxPool(2, { stride: 2, padding: [1, 1, 0, 0] }))),
    box: { lower: [-5, -4, 1, -1], upper: [-3, -2, 2, 4] },
    expected: { lower: [-4, 1], upper: [-2, 4] },
    point: [
      [-3, -4, 1, 0],
      [-3, 1],
    ],
  },
  {
    name: 'leakyRelu: active, inactive, unstable',
    model: one([3], (g) => g.add(leakyRelu(0.25))),
    box: { lower: [1, -4, -2], upper: [2, -2, 3] },
    expected: { lower: [1, -1, -0.5], upper: [2, -0.5, 3] },
    point: [
      [1, -4, -1],
      [1, -1, -0.25],
    ],
  },
  {
    name: 'sigmoid',
    model: one([2], (g) => g.add(sigmoid())),
    box: { lower: [0, -Math.log(3)], upper: [Math.log(3), 0] },
    expected: { lower: [0.5, 0.25], upper: [0.75, 0.5] },
    point: [
      [Math.log(4), -Math.log(4)],
      [0.8, 0.2],
    ],
  },
  {
    name: 'tanh',
    model: one([1], (g) => g.add(tanh())),
    box: { lower: [-Math.log(3) / 2], upper: [Math.log(3) / 2] },
    expected: { lower: [-0.5], upper: [0.5] },
    point: [[Math.log(3) / 2], [0.5]],
  },
  {
    name: 'reshape, row-major',
    model: one([2, 2], (g) => g.add(reshape([1, 4]))),
    box: { lower: [1, 2, 3, 4], upper: [2, 4, 6, 8] },
    expected: { lower: [1, 2, 3, 4], upper: [2, 4, 6, 8] },
    point: [
      [1, 3, 5, 7],
      [1, 3, 5, 7],
    ],
  },
  {
    name: 'transpose of [1, 2, 2] to [2, 1, 2]',
    model: one([1, 2, 2], (g) => g.add(transpose([2, 0, 1]))),
    box: { lower: [1, 2, 3, 4], upper: [2, 4, 6, 8] },
    expected: { lower: [1, 3, 2, 4], upper: [2, 6, 4, 8] },
    point: [
      [1, 3, 5, 7],
      [1, 5, 3, 7],
    ],
  },
  {
    name: 'concat along the last axis',
    model: one([2, 1], (g) => g.add(concat(1), [g.add(affine([-1], [0]), [INPUT]), INPUT])),
    box: { lower: [1, 2], upper: [2, 4] },
    expected: { lower: [-2, 1, -4, 2], upper: [-1, 2, -2, 4] },
    point: [
      [1, 3],
      [-1, 1, -3, 3],
    ],
  },
  {
    name: 'affine with one number for each element',
    model: one([2, 1], (g) => g.add(affine([2, -3], [1, 0]))),
    box: { lower: [0, -1], upper: [1, 2] },
    expected: { lower: [1, -6], upper: [3, 3] },
    point: [
      [0.5, 1],
      [2, -3],
    ],
  },
  {
    name: 'affine with a negative scale',
    model: one([2], (g) => g.add(affine([2, -3], [1, 0]))),
    box: { lower: [0, -1], upper: [1, 2] },
    expected: { lower: [1, -6], upper: [3, 3] },
    point: [
      [0.5, 1],
      [2, -3],
    ],
  },
];

describe('each rule on a case worked out by hand', () => {
  const batched = (values: number[], model: Model) => t(values, [1, ...model.inputShape]);

  it.each(cases)('ibp: $name', ({ model, params = {}, norm = {}, box, expected }) => {
    const input = fromBounds(batched(box.lower, model), batched(box.upper, model));
    const { output } = ibp.bound({ network: { model, params, norm }, box: input });
    close(output, expected);
  });

  it.each(cases)('natural: $name', ({ model, params = {}, norm = {}, point: [x, y] }) => {
    const values = naturalPass({ model, params, norm }, batched(x, model)).output.dataSync();
    expect([...values]).toEqual(y.map((v) => expect.closeTo(v, 5)));
  });

  function close(got: IntervalTensor, want: { lower: number[]; upper: number[] }) {
    expect([...got.lower.dataSync()]).toEqual(want.lower.map((v) => expect.closeTo(v, 5)));
    expect([...got.upper.dataSync()]).toEqual(want.upper.map((v) => expect.closeTo(v, 5)));
  }
});

describe('the relu rule', () => {
  const model = one([3], (g) => g.add(relu()));
  // Active, inactive, unstable.
  const [center, radius] = [t([2, -2, 0.5], [1, 3]), t([1, 1, 1], [1, 3])];
  const gradients = (side: 'lower' | 'upper') =>
    tf
      .grads((c, r) => ibp.bound({ network: { model, params: {} }, box: fromCenterRadius(c!, r!) }).output[side])([
        center,
        radius,
      ])
      .map((g) => [...g.dataSync()]);

  it('has the gradient of relu(center -+ radius)', () => {
    expect(gradients('upper')).toEqual([
      [1, 0, 1],
      [1, 0, 1],
    ]);
    const [dCenter, dRadius] = gradients('lower') as [number[], number[]];
    expect(dCenter).toEqual([1, 0, 0]);
    expect(dRadius.map((g) => g + 0)).toEqual([-1, 0, 0]);
  });

  it('has gradient 0 in lower where the lower bound is exactly 0', () => {
    const at = t([1, 1, 1], [1, 3]);
    const [dCenter, dRadius] = tf.grads(
      (c, r) => ibp.bound({ network: { model, params: {} }, box: fromCenterRadius(c!, r!) }).output.lower,
    )([at, at]);
    expect([...dCenter!.dataSync(), ...dRadius!.dataSync()].map((g) => g + 0)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('keeps a radius of 1e-6 around an active neuron', () => {
    const box = ibp.bound({
      network: { model, params: {} },
      box: fromCenterRadius(t([2, -2, 0], [1, 3]), tf.fill([1, 3], 1e-6)),
    }).at.relu1!;
    const [active, inactive, unstable] = [...box.radius!.dataSync()] as [number, number, number];
    expect(active / 1e-6).toBeCloseTo(1, 6);
    expect(inactive).toBe(0);
    expect(unstable / 0.5e-6).toBeCloseTo(1, 6);
  });
});

it('the gradient of |W| is 0 where W is 0', () => {
  const model = one([2], (g) => g.add(dense(1)));
  const box = fromCenterRadius(tf.zeros([1, 2]), tf.ones([1, 2]));
  const gradient = tf.grad(
    (kernel) =>
      ibp.bound({ network: { model, params: { dense1: { kernel, bias: tf.zeros([1]) } } }, box }).output.upper,
  );
  expect([...gradient(t([0, -3], [2, 1])).dataSync()].map((g) => g + 0)).toEqual([0, -1]);
});

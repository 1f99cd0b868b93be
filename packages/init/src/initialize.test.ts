import {
  batchNorm,
  checkParams,
  conv2d,
  dense,
  flatten,
  flattenTree,
  graph,
  type HostParams,
  type HostTensor,
  isHostTensor,
  type Layer,
  type Model,
  relu,
  sequential,
  type Tensor2D,
  type Tree,
  tf,
  toTensors,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { ibpInit } from './ibp.js';
import { kaimingInit } from './kaiming.js';
import { orthogonalInit } from './orthogonal.js';
import { xavierInit } from './xavier.js';

declare module '@cert/core' {
  interface OpMap {
    /** A plug-in's layers. */
    bilinear: { attrs: object; params: 'form'; stats: never };
    shifted: { attrs: object; params: 'kernel' | 'offset'; stats: never };
  }
}

const initializers = [
  ['ibp', ibpInit],
  ['xavier', xavierInit],
  ['kaiming', kaimingInit],
  ['orthogonal', orthogonalInit],
] as const;

const model = sequential(
  [4, 4, 2],
  [conv2d(6, { groups: 2 }), batchNorm(), relu(), flatten(), dense(40), batchNorm(), relu(), dense(3)],
);
const values = (params: HostParams) =>
  Object.fromEntries(
    flattenTree<HostTensor>(params as Tree<HostTensor>, isHostTensor).map(({ path, value }) => [path, [...value.data]]),
  );

describe.each(initializers)('%s', (_name, initialize) => {
  it('fits the model, and leaves gamma at 1 and beta at 0', () => {
    const before = tf.memory().numTensors;
    const params = initialize(model, 0);
    checkParams(model, params);
    expect(tf.memory().numTensors).toBe(before);
    const got = values(params);
    expect(new Set([...got['batchNorm1.gamma']!, ...got['batchNorm2.gamma']!])).toEqual(new Set([1]));
    expect(new Set([...got['batchNorm1.beta']!, ...got['batchNorm2.beta']!])).toEqual(new Set([0]));
    expect(Object.values(got).flat().every(Number.isFinite)).toBe(true);
  });

  it('draws biases uniformly in +-1/sqrt(fan_in)', () => {
    const bias = values(initialize(model, 0))['dense1.bias']!;
    const limit = 1 / Math.sqrt(96);
    expect(Math.max(...bias.map(Math.abs))).toBeLessThanOrEqual(limit);
    const std = Math.sqrt(bias.reduce((sum, b) => sum + b * b, 0) / bias.length);
    // limit / sqrt(3), within five standard errors of a sample of 40.
    expect(Math.abs(std - limit / Math.sqrt(3))).toBeLessThan(0.36 * limit);
  });

  it('is the same for the same seed and different for another', () => {
    expect(values(initialize(model, 7))).toEqual(values(initialize(model, 7)));
    expect(values(initialize(model, 7))['conv2d1.kernel']).not.toEqual(values(initialize(model, 8))['conv2d1.kernel']);
  });

  it('gives a node the same values wherever it stands among the others', () => {
    const chain = (first: string, second: string): Model => {
      const builder = graph([5]);
      builder.add(dense(5), undefined, first);
      builder.add(dense(5), undefined, second);
      builder.add(dense(2), undefined, 'logits');
      return builder.build();
    };
    expect(values(initialize(chain('a', 'b'), 3))).toEqual(values(initialize(chain('b', 'a'), 3)));
    const { 'a.kernel': a, 'b.kernel': b } = values(initialize(chain('a', 'b'), 3));
    expect(a).not.toEqual(b);
  });

  it('names a parameter that no rule covers', () => {
    const odd: Layer<'bilinear'> = {
      op: 'bilinear',
      attrs: {},
      infer: () => ({ shape: [4], params: { form: [3, 3, 4] }, stats: {} }),
    };
    expect(() => initialize(sequential([3], [odd, dense(2)]), 0)).toThrow(
      'No rule initializes "bilinear1.form" of shape [3,3,4].',
    );
    expect(() => initialize(sequential([3], [odd, dense(2)]), 0)).toThrow(/Name the weight of a new op "kernel"/);
  });
});

describe('an op that the initializers have never heard of', () => {
  const plugin: Layer<'shifted'> = {
    op: 'shifted',
    attrs: {},
    infer: () => ({ shape: [4], params: { kernel: [3, 4], offset: [4] }, stats: {} }),
  };

  it('gets its kernel by fan-in and its other vectors as 0', () => {
    const got = values(kaimingInit(sequential([3], [plugin, dense(2)]), 0));
    expect(got['shifted1.offset']).toEqual([0, 0, 0, 0]);
    expect(got['shifted1.kernel']!.every((v) => v !== 0)).toBe(true);
  });
});

describe('distributions', () => {
  const wide = sequential([400], [dense(100), dense(2)]);
  const kernel = (initialize: typeof xavierInit) => values(initialize(wide, 5))['dense1.kernel']!;
  const stdOf = (list: number[]) => Math.sqrt(list.reduce((sum, v) => sum + v * v, 0) / list.length);

  it('xavier is uniform in +-1/sqrt(fan_in)', () => {
    expect(Math.max(...kernel(xavierInit).map(Math.abs))).toBeLessThanOrEqual(1 / 20);
    expect(stdOf(kernel(xavierInit))).toBeCloseTo(1 / 20 / Math.sqrt(3), 3);
  });

  it('kaiming has the standard deviation sqrt(2 / fan_in)', () => {
    expect(Math.abs(stdOf(kernel(kaimingInit)) / Math.sqrt(2 / 400) - 1)).toBeLessThan(0.02);
  });

  it.each([
    ['tall', 12, 7],
    ['square', 24, 24],
    ['wide', 5, 11],
  ])('orthogonal is orthonormal to rounding when %s', (_, rows, columns) => {
    const { dense1 } = orthogonalInit(sequential([rows], [dense(columns), dense(2)]), 9);
    const product = tf.tidy(() => {
      const w = toTensors(dense1!.kernel!) as Tensor2D;
      const square = rows >= columns ? tf.matMul(w, w, true) : tf.matMul(w, w, false, true);
      return tf.max(tf.abs(tf.sub(square, tf.eye(Math.min(rows, columns))))).dataSync()[0]!;
    });
    expect(product).toBeLessThan(1e-6);
  });

  it('orthogonal flattens a convolution to [fan_in, filters]', () => {
    const { conv2d1 } = orthogonalInit(sequential([4, 4, 2], [conv2d(6), flatten(), dense(2)]), 9);
    const error = tf.tidy(() => {
      const w = tf.reshape(toTensors(conv2d1!.kernel!), [18, 6]) as Tensor2D;
      return tf.max(tf.abs(tf.sub(tf.matMul(w, w, true), tf.eye(6)))).dataSync()[0]!;
    });
    expect(error).toBeLessThan(1e-6);
  });
});

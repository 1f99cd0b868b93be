import { ibp } from '@cert/bounds';
import {
  add,
  type BoundMethod,
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  graph,
  linf,
  type Model,
  relu,
  sequential,
  tf,
  toHost,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { expectedGains, formatGainReport, gainReport, gainRows, meanRadii } from './gain-report.js';
import { ibpInit } from './ibp.js';
import type { Initializer } from './initialize.js';
import { kaimingInit } from './kaiming.js';
import { orthogonalInit } from './orthogonal.js';
import { xavierInit } from './xavier.js';

const n = 200;
const deep = sequential([n], [dense(n), relu(), dense(n), relu(), dense(n), relu(), dense(n), relu(), dense(10)]);
const images = () => {
  const rng = createRng(1, 'images');
  return tf.tensor2d(Float32Array.from({ length: 8 * n }, rng.uniform), [8, n]);
};

/** The gains of the hidden layers after the first, which alone has no ReLU before it. */
async function gains(initialize: Initializer): Promise<number[]> {
  const x = images();
  const params = initialize(deep, 2);
  const rows = await gainReport(deep, params, x, { epsilon: 0.1, perturbation: linf({ epsilon: 0, range: null }) });
  x.dispose();
  return rows.slice(2, -1).map(({ gain }) => gain!);
}

const small = sequential([2], [dense(2), batchNorm(), relu(), dense(2)]);
const params = {
  dense1: {
    kernel: tf.tensor2d([
      [1, -2],
      [3, 4],
    ]),
    bias: tf.zeros([2]),
  },
  batchNorm1: { gamma: tf.tensor1d([2, -2]), beta: tf.tensor1d([100, 100]) },
  dense2: {
    kernel: tf.tensor2d([
      [1, 0],
      [0, 3],
    ]),
    bias: tf.zeros([2]),
  },
};
const norm = { batchNorm1: { mean: tf.zeros([2]), variance: tf.fill([2], 1 - 1e-5) } };

describe('gainReport', () => {
  it('is about 1 per layer for the IBP initialization', async () => {
    for (const gain of await gains(ibpInit)) expect(Math.abs(gain - 1)).toBeLessThan(0.15);
  });

  it('is about sqrt(n) / 4 for Xavier and sqrt(n / pi) for Kaiming', async () => {
    for (const gain of await gains(xavierInit)) expect(Math.abs(gain / (Math.sqrt(n) / 4) - 1)).toBeLessThan(0.15);
    for (const gain of await gains(kaimingInit)) expect(Math.abs(gain / Math.sqrt(n / Math.PI) - 1)).toBeLessThan(0.15);
  });

  it('is right for a case worked by hand', async () => {
    // Radius 0.5: |W| r = (2, 3); times |gamma| (4, 6), mean 5. All active, so the logits have (4, 18), mean 11.
    const rows = await gainReport(small, await toHost(params), tf.zeros([1, 2]), {
      epsilon: 0.5,
      perturbation: linf({ epsilon: 0, range: null }),
      norm,
    });
    expect(rows.map(({ node }) => node)).toEqual(['input', 'batchNorm1', 'dense2']);
    expect(rows[0]).toEqual({ node: 'input', meanRadius: 0.5, gain: null, expected: null });
    expect(rows[1]!.meanRadius).toBeCloseTo(5, 5);
    expect(rows[1]!.gain).toBeCloseTo(10, 5);
    expect(rows[2]!.gain).toBeCloseTo(11 / 5, 5);
  });

  it('takes the statistics of the images by default, clips to [0, 1], and any method', async () => {
    // Natural outputs 0 and (1, -2) + (3, 4): variances 4 and 1.
    const x = tf.tensor2d([
      [0, 0],
      [1, 1],
    ]);
    const rows = await gainReport(small, await toHost(params), x, { epsilon: 0.5 });
    expect(rows[0]!.meanRadius).toBe(0.25);
    expect(rows[1]!.meanRadius).toBeCloseTo((1 * 2) / 2 / 2 + (1.5 * 2) / 1 / 2, 4);
    const doubled: BoundMethod = {
      name: 'doubled',
      bound: (problem) => {
        const { output, at } = ibp.bound(problem);
        return { output: { ...output, radius: tf.mul(output.radius!, 2) }, at };
      },
    };
    const other = await gainReport(small, await toHost(params), x, { epsilon: 0.5, method: doubled });
    expect(other.at(-1)!.meanRadius).toBeCloseTo(2 * rows.at(-1)!.meanRadius, 4);
  });

  it('leaves no tensor behind', async () => {
    const x = tf.zeros([1, 2]);
    const before = tf.memory().numTensors;
    await gainReport(small, await toHost(params), x, { epsilon: 0.1 });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses a radius that is none', async () => {
    await expect(gainReport(small, await toHost(params), tf.zeros([1, 2]), { epsilon: -1 })).rejects.toThrow(
      'epsilon is -1.',
    );
  });
});

describe('expectedGains', () => {
  const expected = (model: Model, initialize: Initializer) => expectedGains(model, initialize(model, 2));

  it('is 1 for the IBP initialization, sqrt(n) / 4 for Xavier, sqrt(n / pi) for Kaiming, sqrt(n / (2 pi)) for orthogonal', async () => {
    const cases = [
      [ibpInit, 1],
      [xavierInit, Math.sqrt(n) / 4],
      [kaimingInit, Math.sqrt(n / Math.PI)],
      [orthogonalInit, Math.sqrt(n / (2 * Math.PI))],
    ] as const;
    for (const [initialize, hidden] of cases) {
      const [input, first, ...others] = await expected(deep, initialize);
      expect(input).toBeNull();
      // No ReLU halves the box.
      expect(Math.abs(first! / (2 * hidden) - 1)).toBeLessThan(0.02);
      for (const gain of others.slice(0, -1)) expect(Math.abs(gain! / hidden - 1)).toBeLessThan(0.02);
    }
  });

  it('is right for a case worked by hand, a convolution in two groups and a flatten between the layers', async () => {
    const model = sequential(
      [2, 2, 4],
      [conv2d(2, { kernel: 1, padding: 0, groups: 2 }), relu(), flatten(), dense(3), relu(), dense(2)],
    );
    const params = {
      conv2d1: { kernel: tf.tensor([1, -2, 3, -4], [1, 1, 2, 2]), bias: tf.zeros([2]) },
      dense1: { kernel: tf.fill([8, 3], -0.5), bias: tf.zeros([3]) },
      dense2: { kernel: tf.fill([3, 2], 4), bias: tf.zeros([2]) },
    };
    expect(expectedGains(model, await toHost(params))).toEqual([null, 2 * 2.5, (8 / 2) * 0.5, (3 / 2) * 4]);
    tf.dispose(params);
  });

  it('is left open behind batch normalizations and residual sums', async () => {
    expect((await expected(small, xavierInit)).map((gain) => gain !== null)).toEqual([false, false, true]);
    const builder = graph([3]);
    const left = builder.add(dense(3), undefined, 'left');
    builder.add(add(), [left, 'input'], 'sum');
    builder.add(relu());
    builder.add(dense(3), undefined, 'hidden');
    builder.add(relu());
    builder.add(add(), ['relu1', 'relu2']);
    builder.add(dense(2), undefined, 'logits');
    const gains = await expected(builder.build(), xavierInit);
    expect(gains.map((gain) => gain !== null)).toEqual([false, false, true, false]);
  });
});

describe('meanRadii', () => {
  it('with gainRows is the report in two parts, of which the first reads no value', async () => {
    const x = tf.tensor2d([[0.2, 0.9]]);
    const radii = tf.tidy(() => meanRadii(small, params, x, { epsilon: 0.5, norm }));
    const rows = gainRows(small, await radii.data(), expectedGains(small, await toHost(params)));
    expect(rows).toEqual(await gainReport(small, await toHost(params), x, { epsilon: 0.5, norm }));
  });
});

describe('formatGainReport', () => {
  it('is a table', () => {
    const rows = [
      { node: 'input', meanRadius: 0.1, gain: null, expected: null },
      { node: 'conv2d1', meanRadius: 12.345678, gain: 123.45678, expected: 100 },
    ];
    expect(formatGainReport(rows).split('\n')).toEqual([
      'node     mean radius   gain  expected',
      'input         0.1000',
      'conv2d1        12.35  123.5     100.0',
    ]);
  });
});

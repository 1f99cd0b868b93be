import { dense, type HostParams, linf, relu, sequential } from '@cert/core';
import type { Split } from '@cert/datasets';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { standardCatalog } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createValuer, type ValuerOptions } from './output-intervals.js';

/** f(x, y) = relu(x + y) - relu(x - y) - 10. */
const model = sequential([2], [dense(2), relu(), dense(1)]);
const params = {
  dense1: {
    kernel: { shape: [2, 2], data: Float32Array.of(1, 1, 1, -1) },
    bias: { shape: [2], data: Float32Array.of(0, 0) },
  },
  dense2: {
    kernel: { shape: [2, 1], data: Float32Array.of(1, -1) },
    bias: { shape: [1], data: Float32Array.of(-10) },
  },
};
const value = (x: number, y: number) => Math.max(0, x + y) - Math.max(0, x - y) - 10;

const split: Split = {
  ...{ shape: [2], classes: 1, count: 3, scale: 1 },
  images: Float32Array.of(5, 1, 0, 0, -3, 2),
  labels: new Uint8Array(3),
  targets: Float32Array.of(-8, -10, 4),
};

let device: Device;
beforeAll(async () => {
  device = await openDevice('tfjs');
});
afterAll(() => device.dispose());

const { ibp, 'crown-ibp': crownIbp } = standardCatalog.verifiers;

interface Case {
  readonly verifiers?: ValuerOptions['verifiers'];
  readonly perturbation?: ValuerOptions['perturbation'];
  readonly arithmetic?: ValuerOptions['arithmetic'];
  readonly test?: Split;
  readonly unit?: number;
  readonly values?: HostParams;
}

async function valuesOf({
  verifiers = [ibp!],
  perturbation = set,
  arithmetic = 'deployed',
  test = split,
  unit = 3,
  values = params,
}: Case) {
  const weights = { params: putParams(device, values), stats: {} };
  const valuer = createValuer({
    ...{ device, model, weights, perturbation, unit, verifiers, arithmetic },
    ...{ natural: standardCatalog.rules.natural, signal: new AbortController().signal },
  });
  try {
    return await valuer.values(test, 10, perturbation.epsilon);
  } finally {
    await valuer.dispose();
    disposeTree(weights);
  }
}

const rounded = (interval: readonly number[] | null) => interval?.map((end) => Number(end.toFixed(2)));

const set = linf({ epsilon: 0.5, range: null });

describe.each(['nearest', 'real', 'deployed'] as const)('intervals at %s', (arithmetic) => {
  it.each([0.01, 3, 100])(
    'are those of the method, in the units of the label, computed in the unit %f',
    async (unit) => {
      const [first, second] = await valuesOf({ arithmetic, unit });
      expect(first).toMatchObject({ index: 0, target: -8, prediction: -8 });
      // Both ReLUs are active: x + y is in [5, 7] and x - y in [3, 5].
      expect(rounded(first!.interval)).toEqual([-10, -6]);
      // x + y and x - y are in [-1, 1].
      expect(rounded(second!.interval)).toEqual([-11, -9]);
      if (arithmetic === 'nearest') return;
      expect(first!.interval![0]).toBeLessThanOrEqual(-10);
      expect(first!.interval![1]).toBeGreaterThanOrEqual(-6);
    },
  );

  it('of two methods together are the intersection', async () => {
    const [one, other, both] = [
      await valuesOf({ arithmetic }),
      await valuesOf({ arithmetic, verifiers: [crownIbp!] }),
      await valuesOf({ arithmetic, verifiers: [ibp!, crownIbp!] }),
    ];
    both.forEach(({ interval }, i) => {
      expect(interval).toEqual([
        Math.max(one[i]!.interval![0], other[i]!.interval![0]),
        Math.min(one[i]!.interval![1], other[i]!.interval![1]),
      ]);
    });
    // Linear bounds know that x and y are in both ReLUs: 2 y - 10.
    expect(rounded(both[0]!.interval)).toEqual([-9, -7]);
  });

  it('contain every point of the set', async () => {
    for (const { index, interval } of await valuesOf({ arithmetic, verifiers: [ibp!, crownIbp!] })) {
      const [x, y] = [split.images[2 * index]!, split.images[2 * index + 1]!];
      const room = arithmetic === 'nearest' ? 1e-5 : 0;
      for (let i = 0; i <= 10; i++) {
        for (let k = 0; k <= 10; k++) {
          const at = value(x - 0.5 + i / 10, y - 0.5 + k / 10);
          expect(at).toBeGreaterThanOrEqual(interval![0] - room);
          expect(at).toBeLessThanOrEqual(interval![1] + room);
        }
      }
    }
  });

  it('cover all categories', async () => {
    const perturbation = linf({ epsilon: 1, scale: 0, range: null, categories: [[0, 1]] });
    const test = { ...split, count: 1, images: Float32Array.of(1, 0), targets: Float32Array.of(0) };
    const [only] = await valuesOf({ arithmetic, perturbation, test });
    // f(1, 0) = -10 and f(0, 1) = -9.
    expect(rounded(only!.interval)).toEqual([-10, -9]);
  });
});

it('are also there for numbers that are much larger than their differences', async () => {
  const far = { ...params, dense2: { ...params.dense2, bias: { shape: [1], data: Float32Array.of(250_000) } } };
  const [first] = await valuesOf({ values: far, verifiers: [ibp!, crownIbp!] });
  expect(first!.prediction).toBe(250_002);
  expect(first!.interval![0]).toBeGreaterThan(250_000);
  expect(first!.interval![0]).toBeLessThanOrEqual(250_001);
  expect(first!.interval![1]).toBeLessThan(250_004);
  expect(first!.interval![1]).toBeGreaterThanOrEqual(250_003);
});

it('a prediction that is not finite has no interval', async () => {
  const wrong = { ...params, dense2: { ...params.dense2, bias: { shape: [1], data: Float32Array.of(Number.NaN) } } };
  const [first] = await valuesOf({ values: wrong });
  expect(first).toEqual({ index: 0, target: -8, prediction: null, interval: null });
});

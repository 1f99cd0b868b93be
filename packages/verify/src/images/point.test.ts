import { ibp } from '@cert/bounds';
import { type BoundMethod, dense, linf, sequential, type Tensor, tf } from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { mlp } from '@cert/models';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { babVerifier } from '../methods/search.js';
import { soundIbpSteps, soundVerifier } from '../sound-verifier.js';
import { boundVerifier, type Verifier } from '../verifier.js';
import { createPointCertifier, type PointCertifierOptions } from './point.js';

/** Logits (x, 1 - x) of one pixel: the margin of class 0 is 2x - 1, so that it wins up to a distance of x - 1/2. */
const model = sequential([1], [dense(2)]);
const weights = {
  dense1: {
    kernel: { shape: [1, 2], data: Float32Array.of(1, -1) },
    bias: { shape: [2], data: Float32Array.of(0, 1) },
  },
};
const point = (x: number) => ({ pixels: Float32Array.of(x), label: 0 });

const changed = (name: string, change: (lower: Tensor) => Tensor): BoundMethod => ({
  name,
  bound(problem) {
    const bounds = ibp.bound(problem);
    return { ...bounds, output: { lower: change(bounds.output.lower), upper: bounds.output.upper } };
  },
});
const weak = boundVerifier(changed('weak', (lower) => tf.sub(lower, 0.3)));
const ibpVerifier = soundVerifier(boundVerifier(ibp), soundIbpSteps);

let device: Device;
beforeAll(async () => {
  await tf.ready();
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

async function withCertifier<T>(
  verifiers: readonly Verifier[],
  use: (certifier: ReturnType<typeof createPointCertifier>) => Promise<T>,
  options: Partial<PointCertifierOptions> = {},
  values = weights,
): Promise<T> {
  const placed = { params: putParams(device, values), stats: {} };
  const certifier = createPointCertifier({ device, model, weights: placed, verifiers, ...options });
  try {
    return await use(certifier);
  } finally {
    await certifier.dispose();
    disposeTree(placed);
  }
}

it('gives the logits, and the lower margin of the first method that verifies', async () => {
  await withCertifier([weak, ibpVerifier], async ({ logits, bound }) => {
    expect(Array.from(await logits(Float32Array.of(0.75)))).toEqual([0.75, 0.25]);
    // The margin 0.5 falls by 2 epsilon.
    expect(await bound(point(0.75), 0.05)).toEqual({ lower: expect.closeTo(0.1, 6), verifiedBy: 'weak' });
    expect(await bound(point(0.75), 0.2)).toEqual({ lower: expect.closeTo(0.1, 6), verifiedBy: 'ibp' });
    expect(await bound(point(0.75), 0.3)).toEqual({ lower: expect.closeTo(-0.1, 6), verifiedBy: null });
    await expect(logits(Float32Array.of(1.5))).rejects.toMatchObject({ code: 'bad-data' });
  });
});

it.each(['nearest', 'deployed'] as const)('finds the radius up to the tolerance, at %s', async (arithmetic) => {
  await withCertifier(
    [ibpVerifier],
    async ({ radius }) => {
      for (const x of [0.5004, 0.51, 0.65, 0.9]) {
        const exact = x - 0.5;
        for (const tolerance of [0.1, 0.01]) {
          const found = await radius(point(x), { tolerance });
          expect(found.verifiedBy).toBe('ibp');
          expect(found.radius).toBeLessThanOrEqual(exact * (1 + 1e-4));
          expect(found.radius).toBeGreaterThanOrEqual(exact * (1 - tolerance) * (1 - 1e-4));
          expect(found.unverified! - found.radius).toBeLessThanOrEqual(tolerance * found.unverified!);
        }
      }
    },
    { arithmetic },
  );
});

it('is 0 for a point that is misclassified or a tie, and the whole range where nothing changes the class', async () => {
  await withCertifier([ibpVerifier], async ({ radius }) => {
    for (const x of [0.3, 0.5]) expect(await radius(point(x))).toMatchObject({ radius: 0, verifiedBy: null });
  });
  const constant = {
    dense1: {
      kernel: { shape: [1, 2], data: Float32Array.of(0, 0) },
      bias: { shape: [2], data: Float32Array.of(1, 0) },
    },
  };
  const all = await withCertifier([ibpVerifier], ({ radius }) => radius(point(0.3)), {}, constant);
  expect(all).toEqual({ radius: 1, verifiedBy: 'ibp', unverified: null });
  const endless = await withCertifier(
    [ibpVerifier],
    ({ radius }) => radius(point(0.3)),
    { perturbation: linf({ epsilon: 0, range: null }) },
    constant,
  );
  expect(endless.radius).toBe(1e6);
});

it('verifies at the radius and, for a network of some layers, searches further than IBP', async () => {
  const deep = mlp({ inputShape: [4], classes: 3, hidden: [8, 8] });
  const values = ibpInit(deep, 3);
  const pixels = Float32Array.of(0.2, 0.7, 0.4, 0.6);
  await withCertifier(
    [ibpVerifier, babVerifier({ timeout: 10 })],
    async ({ logits, bound, radius }) => {
      const values = await logits(pixels);
      const label = values.indexOf(Math.max(...values));
      const found = await radius({ pixels, label }, { tolerance: 0.05 });
      expect(found).toMatchObject({ verifiedBy: 'bab' });
      expect((await bound({ pixels, label }, found.radius)).verifiedBy).not.toBeNull();
      expect((await bound({ pixels, label }, 1.1 * found.radius)).verifiedBy).toBeNull();
    },
    { model: deep, arithmetic: 'deployed' },
    values as typeof weights,
  );
});

it('bounds the margin over all categories, also behind one that is not verified', async () => {
  // Margins of the three categories: 1, -1 and -3.
  const kinds = sequential([3], [dense(2)]);
  const values = {
    dense1: {
      kernel: { shape: [3, 2], data: Float32Array.of(1, 0, -1, 0, -3, 0) },
      bias: { shape: [2], data: Float32Array.of(0, 0) },
    },
  };
  const perturbation = linf({ epsilon: 1, scale: 0, range: null, categories: [[0, 1, 2]] });
  await withCertifier(
    [ibpVerifier],
    async ({ bound, radius }) => {
      const first = { pixels: Float32Array.of(1, 0, 0), label: 0 };
      expect(await bound(first, 0.1)).toEqual({ lower: expect.closeTo(-3, 5), verifiedBy: null });
      expect(await radius(first)).toMatchObject({ radius: 0, verifiedBy: null });
      const other = { pixels: Float32Array.of(1, 0, 0), label: 1 };
      expect((await bound(other, 0.1)).lower).toBeCloseTo(-1, 5);
    },
    { model: kinds, perturbation },
    values,
  );
});

it('is an error where a bound lies above the margin of the point', async () => {
  const wrong = boundVerifier(changed('wrong', (lower) => tf.add(lower, 5)));
  await expect(withCertifier([wrong], ({ radius }) => radius(point(0.6)))).rejects.toMatchObject({ code: 'unsound' });
});

it('refuses points and settings that do not fit, and ends at the resolution of numbers', async () => {
  await withCertifier([ibpVerifier], async ({ logits, bound, radius }) => {
    const odd = [0, Number.NaN, -1, Number.POSITIVE_INFINITY];
    for (const settings of [...odd.map((tolerance) => ({ tolerance })), ...odd.map((start) => ({ start }))])
      await expect(radius(point(0.8), settings)).rejects.toMatchObject({ code: 'bad-argument' });
    for (const label of [-1, 2]) {
      await expect(bound({ ...point(0.8), label }, 0.1)).rejects.toMatchObject({ code: 'bad-data' });
      await expect(radius({ ...point(0.8), label })).rejects.toMatchObject({ code: 'bad-data' });
    }
    for (const pixels of [new Float32Array(0), new Float32Array(2)]) {
      await expect(bound({ pixels, label: 0 }, 0.1)).rejects.toMatchObject({ code: 'shape-mismatch' });
      await expect(logits(pixels)).rejects.toMatchObject({ code: 'shape-mismatch' });
    }
    expect((await radius(point(0.75), { tolerance: 1e-300 })).radius).toBeCloseTo(0.25, 5);
  });
});

it('leaves no tensor behind, and ends with the signal', async () => {
  const before = tf.memory().numTensors;
  const controller = new AbortController();
  await withCertifier([ibpVerifier], async ({ radius }) => radius(point(0.8)), { arithmetic: 'deployed' });
  expect(tf.memory().numTensors).toBe(before);
  controller.abort();
  const stopped = withCertifier([ibpVerifier], ({ radius }) => radius(point(0.8)), { signal: controller.signal });
  await expect(stopped).rejects.toBe(controller.signal.reason);
});

import { ibp } from '@cert/bounds';
import { type BoundMethod, CertError, dense, linf, sequential, type Tensor, tf } from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, eagerDevice, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { mlp } from '@cert/models';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEvaluator } from '../evaluate.js';
import { soundIbpSteps, soundVerifier } from '../sound-verifier.js';
import { boundVerifier, type Verifier } from '../verifier.js';
import { certify } from './certify.js';
import type { CertifyOptions, IndexedImage } from './certify-options.js';
import type { ImageResult } from './result.js';

/** A linear classifier of one pixel: logits (x, 1 - x), so that the margin of class 0 is 2x - 1. */
const model = sequential([1], [dense(2)]);
const weights = {
  dense1: {
    kernel: { shape: [1, 2], data: Float32Array.of(1, -1) },
    bias: { shape: [2], data: Float32Array.of(0, 1) },
  },
};
const images = (...pixels: number[]): IndexedImage[] =>
  pixels.map((pixel, index) => ({ index, pixels: Float32Array.of(pixel), label: 0 }));

/** IBP with its lower bounds changed. */
const changed = (name: string, change: (lower: Tensor) => Tensor): BoundMethod => ({
  name,
  bound(problem) {
    const bounds = ibp.bound(problem);
    return { ...bounds, output: { lower: change(bounds.output.lower), upper: bounds.output.upper } };
  },
});
const weak = changed('weak', (lower) => tf.sub(lower, 0.3));
const entry = (method: BoundMethod, images = 2, afterAttack = false): Verifier =>
  boundVerifier(method, { rows: () => 1, images, afterAttack });

let device: Device;
beforeAll(async () => {
  await tf.ready();
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

async function run(options: Partial<CertifyOptions> = {}, values = weights): Promise<ImageResult[]> {
  const on = options.device ?? device;
  const placed = { params: putParams(on, values), stats: {} };
  const results: ImageResult[] = [];
  const stream = certify({
    ...{ device: on, model, weights: placed, perturbation: linf({ epsilon: 0.1 }), batchSize: 3 },
    images: images(0.95, 0.65, 0.61, 0.55, 0.45),
    verifiers: [entry(weak), entry(ibp, 2, true)],
    attack: { steps: 5, restarts: 2, seed: 0 },
    ...options,
  });
  try {
    for await (const result of stream) results.push(result);
    return results.sort((a, b) => a.index - b.index);
  } finally {
    disposeTree(placed);
  }
}

const near = (value: number) => expect.closeTo(value, 5);

describe('certify', () => {
  it('settles each image by the first thing that settles it', async () => {
    const live = device.live;
    expect(await run()).toEqual([
      {
        ...{ index: 0, label: 0, prediction: 0, margin: near(0.9) },
        lower: { weak: near(0.4) },
        verifiedBy: 'weak',
        attack: null,
      },
      {
        ...{ index: 1, label: 0, prediction: 0, margin: near(0.3), lower: { weak: near(-0.2), ibp: near(0.1) } },
        ...{ verifiedBy: 'ibp', attack: { found: false, margin: near(0.1) } },
      },
      {
        ...{ index: 2, label: 0, prediction: 0, margin: near(0.22), lower: { weak: near(-0.28), ibp: near(0.02) } },
        ...{ verifiedBy: 'ibp', attack: { found: false, margin: near(0.02) } },
      },
      {
        ...{ index: 3, label: 0, prediction: 0, margin: near(0.1), lower: { weak: near(-0.4) }, verifiedBy: null },
        attack: {
          ...{ found: true, by: 'pgd' },
          margin: expect.toSatisfy((margin: number) => margin <= 0 && margin >= -0.1001),
        },
      },
      { ...{ index: 4, label: 0, prediction: 1, margin: near(-0.1) }, lower: {}, verifiedBy: null, attack: null },
    ]);
    expect(device.live).toBe(live);
  });

  it('told to be complete, runs every method on every image and attacks all that are classified correctly', async () => {
    const results = await run({ complete: true });
    expect(results.map(({ lower }) => lower)).toEqual(
      [0.7, 0.1, 0.02, -0.1, -0.3].map((lower) => ({ weak: near(lower - 0.3), ibp: near(lower) })),
    );
    expect(results.map(({ attack }) => attack?.found)).toEqual([false, false, false, true, undefined]);
    expect(results.map(({ verifiedBy }) => verifiedBy)).toEqual(['weak', 'ibp', 'ibp', null, null]);
  });

  describe('at the arithmetic deployed', () => {
    const arithmetic = 'deployed' as const;
    const about = (value: number) => expect.closeTo(value, 4);

    it('proves with rounding accounted for, and says by what', async () => {
      const results = await run({ arithmetic, attack: null, verifiers: [soundVerifier(entry(ibp), soundIbpSteps)] });
      expect(results.map(({ lower, verifiedBy }) => [lower, verifiedBy])).toEqual([
        [{ ibp: about(0.7) }, 'ibp'],
        [{ ibp: about(0.1) }, 'ibp'],
        [{ ibp: about(0.02) }, 'ibp'],
        [{ ibp: about(-0.1) }, null],
        [{}, null],
      ]);
      expect(results.map(({ levels }) => levels!.ibp?.step)).toEqual([
        'float32',
        'float32',
        'float32',
        'float32',
        undefined,
      ]);
      expect(results[3]!.levels!.ibp).toEqual({ nearest: about(-0.1), deployed: about(-0.1), step: 'float32' });
    });

    it('does not take a margin that rounding may turn for a proof', async () => {
      // The margin is 2^-23 at least, which one rounding of the logits may remove.
      const results = await run({
        ...{ arithmetic, attack: null, perturbation: linf({ epsilon: 0 }), images: images(0.5 + 2 ** -24) },
        verifiers: [soundVerifier(entry(ibp), soundIbpSteps)],
      });
      expect(results[0]).toMatchObject({ margin: 2 ** -23, verifiedBy: null });
      expect(results[0]!.levels!.ibp).toMatchObject({ nearest: 2 ** -23, step: 'float64' });
      expect(results[0]!.levels!.ibp!.deployed).toBeLessThan(0);
      expect(results[0]!.levels!.ibp!.real).toBeGreaterThan(0);
    });

    it('verifies nothing by a method without such bounds', async () => {
      const results = await run({ arithmetic, attack: null, verifiers: [entry(ibp)] });
      expect(results.map(({ verifiedBy }) => verifiedBy)).toEqual([null, null, null, null, null]);
      expect(results[0]).toMatchObject({ lower: { ibp: null }, levels: { ibp: { nearest: near(0.7) } } });
    });

    it('verifies nothing of a model with an op that such bounds do not know', async () => {
      const missing = () => {
        throw new CertError('missing-rule', 'no rule', 'add one');
      };
      const verifier = soundVerifier(entry(ibp), {
        screen: () => ({ name: 'lacking', bound: missing }),
        margins: missing,
      });
      const live = device.live;
      const results = await run({ arithmetic, attack: null, verifiers: [verifier] });
      expect(results.map(({ verifiedBy }) => verifiedBy)).toEqual([null, null, null, null, null]);
      expect(results[0]!.levels).toEqual({ ibp: { nearest: near(0.7) } });
      expect(device.live).toBe(live);
    });
  });

  it('without methods and attack classifies', async () => {
    const results = await run({ verifiers: [], attack: null });
    expect(results.map(({ lower, attack, prediction }) => [lower, attack, prediction])).toEqual([
      ...Array.from({ length: 4 }, () => [{}, null, 0]),
      [{}, null, 1],
    ]);
  });

  it('says that a bound was not finite, and verifies nothing by it', async () => {
    // NaN where the margin is above 0.25, +infinity elsewhere.
    const broken = changed('broken', (lower) =>
      tf.where(
        tf.greater(lower, 0.05),
        tf.fill(lower.shape, Number.NaN),
        tf.fill(lower.shape, Number.POSITIVE_INFINITY),
      ),
    );
    const results = await run({ verifiers: [entry(broken), entry(ibp)], attack: null, device: eagerDevice() });
    expect(results.map(({ lower, verifiedBy }) => [lower, verifiedBy])).toEqual([
      [{ broken: null, ibp: near(0.7) }, 'ibp'],
      [{ broken: null, ibp: near(0.1) }, 'ibp'],
      [{ broken: null, ibp: near(0.02) }, 'ibp'],
      [{ broken: null, ibp: near(-0.1) }, null],
      [{}, null],
    ]);
  });

  it('takes logits that are not finite for an error', async () => {
    const values = { dense1: { ...weights.dense1, bias: { shape: [2], data: Float32Array.of(Number.NaN, 0) } } };
    const results = await run({ images: images(0.9) }, values);
    expect(results).toEqual([
      { ...{ index: 0, label: 0, prediction: null, margin: null }, lower: {}, verifiedBy: null, attack: null },
    ]);
  });

  it.each([
    ['by the clean image', { attack: null, perturbation: linf({ epsilon: 0 }) }],
    ['by the attack', { verifiers: [entry(changed('optimistic', (lower) => tf.add(lower, 0.2)))], complete: true }],
    [
      'after the attack',
      {
        verifiers: [
          entry(
            changed('optimistic', (lower) => tf.add(lower, 0.2)),
            2,
            true,
          ),
        ],
      },
    ],
  ])('catches bounds that are not sound: %s', async (_, options: Partial<CertifyOptions>) => {
    const optimistic = changed('optimistic', (lower) => tf.add(lower, 0.2));
    const live = device.live;
    await expect(run({ verifiers: [entry(optimistic)], ...options, images: images(0.65, 0.63) })).rejects.toMatchObject(
      {
        code: 'unsound',
        problem: expect.stringMatching(/^optimistic: input [01] has a lower margin of/),
      },
    );
    expect(device.live).toBe(live);
  });

  it('agrees with the evaluation in batches, whatever the batches', async () => {
    const net = mlp({ inputShape: [6], classes: 3, hidden: [12] });
    const eager = eagerDevice();
    const params = putParams(eager, ibpInit(net, 5));
    const weights = { params, stats: {} };
    const all = Array.from({ length: 23 }, (_, index) => ({
      ...{ index, label: index % 3 },
      pixels: Float32Array.from({ length: 6 }, (__, i) => (((index * 6 + i) * 7) % 11) / 11),
    }));
    const attack = { steps: 4, restarts: 3, seed: 2 };
    const expected = await createEvaluator({ device: eager, model: net }).evaluate(weights, {
      batches: all.map(({ pixels, label }) => ({ images: pixels, labels: Int32Array.of(label) })),
      ...{ epsilon: 0.03, attack },
    });
    const live = eager.live;
    for (const batchSize of [1, 5, 30]) {
      const results: ImageResult[] = [];
      for await (const result of certify({
        ...{
          device: eager,
          model: net,
          weights,
          perturbation: linf({ epsilon: 0.03 }),
          images: all,
          attack,
          batchSize,
        },
        verifiers: [entry(ibp, batchSize)],
      })) {
        results.push(result);
      }
      const share = (holds: (result: ImageResult) => boolean) => results.filter(holds).length / 23;
      expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(all.map(({ index }) => index));
      expect(share(({ margin }) => margin! <= 0)).toBe(expected.standardError);
      expect(share(({ margin, attack: found }) => margin! <= 0 || found?.found === true)).toBe(expected.pgdError);
      expect(share(({ verifiedBy }) => verifiedBy === null)).toBe(expected.verifiedError);
    }
    expect(expected.pgdError).toBeGreaterThan(expected.standardError);
    expect(expected.verifiedError).toBeLessThan(1);
    expect(eager.live).toBe(live);
  });

  it.each<[string, Partial<CertifyOptions>, string]>([
    ['no pixels', { images: [{ index: 3, pixels: new Float32Array(0), label: 0 }] }, 'shape-mismatch: Input 3 has 0'],
    ['too many', { images: [{ index: 3, pixels: new Float32Array(2), label: 0 }] }, 'shape-mismatch: Input 3 has 2'],
    ['the label -1', { images: [{ ...images(0.9)[0]!, label: -1 }] }, 'bad-data: The label of input 0 is -1'],
    ['the label 2 of 2', { images: [{ ...images(0.9)[0]!, label: 2 }] }, 'bad-data: The label of input 0 is 2'],
    ['the label 0.5', { images: [{ ...images(0.9)[0]!, label: 0.5 }] }, 'bad-data: The label of input 0 is 0.5'],
    ['batches of 0', { batchSize: 0 }, 'bad-argument: The batch size is 0'],
    ['batches of NaN', { batchSize: Number.NaN }, 'bad-argument: The batch size is NaN'],
    [
      'an epsilon of NaN',
      { perturbation: { ...linf({ epsilon: 0 }), epsilon: Number.NaN } },
      'bad-argument: epsilon is',
    ],
  ])('refuses %s', async (_, options, expected) => {
    const live = device.live;
    for (const arithmetic of ['nearest', 'deployed'] as const) {
      const error = await run({ ...options, arithmetic }).catch((e: CertError) => `${e.code}: ${e.problem}`);
      expect(error).toContain(expected);
    }
    expect(device.live).toBe(live);
  });

  it('stops when it is told to in a batch that is not full', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(run({ signal, batchSize: 30, verifiers: [], attack: null })).rejects.toThrow('enough');
  });

  it('stops when it is told to, and leaves no array behind', async () => {
    const live = device.live;
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 50);
    // An attack that cannot succeed, and would take hours.
    const attempt = run({
      complete: true,
      perturbation: linf({ epsilon: 0 }),
      attack: { steps: 1e9 },
      signal: controller.signal,
    });
    await expect(attempt).rejects.toThrow('enough');
    expect(device.live).toBe(live);
  });
});

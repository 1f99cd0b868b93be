/** Perturbation sets other than balls, from certification to certificates. */

import { crownIbp, ibp, soundBox } from '@cert/bounds';
import {
  createRng,
  dense,
  type HostParams,
  l2,
  linf,
  type Perturbation,
  perturbationEnds,
  sequential,
  tf,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { mlp } from '@cert/models';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { autoAttack } from '../attack/auto-attack.js';
import { createEvaluator } from '../evaluate.js';
import { boxAround } from '../float64/enclosure.js';
import { crownVerifier } from '../methods/crown.js';
import { babVerifier } from '../methods/search.js';
import { soundCrownSteps, soundIbpSteps, soundVerifier } from '../sound-verifier.js';
import { boundVerifier, type Verifier } from '../verifier.js';
import { certify } from './certify.js';
import type { CertifyOptions } from './certify-options.js';
import { createPointCertifier } from './point.js';
import type { ImageResult } from './result.js';

let device: Device;
beforeAll(async () => {
  await tf.ready();
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

/** Two classes whose margin is w . x + b for class 0. */
function linear(
  w: readonly number[],
  b: number,
): { readonly model: ReturnType<typeof mlp>; readonly params: HostParams } {
  return {
    model: sequential([w.length], [dense(2)]),
    params: {
      dense1: {
        kernel: { shape: [w.length, 2], data: Float32Array.from(w.flatMap((value) => [value, 0])) },
        bias: { shape: [2], data: Float32Array.of(b, 0) },
      },
    },
  };
}

async function results(
  { model, params }: ReturnType<typeof linear>,
  perturbation: Perturbation,
  inputs: readonly (readonly number[])[],
  options: Partial<CertifyOptions> = {},
): Promise<ImageResult[]> {
  const weights = { params: putParams(device, params), stats: {} };
  const found: ImageResult[] = [];
  for await (const result of certify({
    ...{ device, model, weights, perturbation, batchSize: 4, verifiers: [ibpVerifier], attack: null },
    images: inputs.map((x, index) => ({ index, label: 0, pixels: Float32Array.from(x) })),
    ...options,
  })) {
    found.push(result);
  }
  disposeTree(weights);
  return found.sort((a, b) => a.index - b.index);
}

const ibpVerifier = soundVerifier(boundVerifier(ibp), soundIbpSteps);

describe('radii per feature', () => {
  // Margin x + 10 y - 5 z.
  const net = linear([1, 10, -5], 0);
  const set = linf({ epsilon: 0.5, up: [1, 0, 0], down: [1, 0, 1], range: null });

  it.each(['nearest', 'real', 'deployed'] as const)('decide at %s what the worst point says', async (arithmetic) => {
    // y is immutable and z only falls: the worst margin is x - 0.5 + 10 y - 5 z.
    const [safe, open] = await results(
      net,
      set,
      [
        [0.75, 0, 0],
        [0.25, 0, 0],
      ],
      { arithmetic },
    );
    expect(safe!.verifiedBy).toBe('ibp');
    expect(safe!.lower.ibp).toBeCloseTo(0.25, 4);
    expect(open!.verifiedBy).toBeNull();
  });

  it.each(['pgd', 'apgd-ce', 'apgd-t', 'fab-t', 'square'])('are what %s searches', async (name) => {
    const attacks = autoAttack().filter((attack) => attack.name === name);
    const options = { attack: name === 'pgd' ? { steps: 10, restarts: 1 } : null, attacks, verifiers: [] };
    const [safe, broken] = await results(
      net,
      set,
      [
        [0.75, 0, 0],
        [0.25, 0, 0],
      ],
      options,
    );
    expect(safe!.attack).toMatchObject({ found: false });
    expect(safe!.attack!.margin).toBeGreaterThanOrEqual(0.25 - 1e-5);
    expect(broken!.attack).toMatchObject({ found: true, by: name });
  });

  it('are enclosed by outward rounding, on the device and on the host', () => {
    const rng = createRng(5, 'boxes');
    for (let i = 0; i < 200; i++) {
      const up = Array.from({ length: 4 }, () => (rng.uniform() < 0.3 ? 0 : 10 ** (4 * rng.uniform() - 2)));
      const down = Array.from({ length: 4 }, () => 3 * rng.uniform());
      const range =
        i % 2 === 0
          ? null
          : { min: [-1, -0.7, Number.NEGATIVE_INFINITY, 0.1], max: [0.9, 1, 1, Number.POSITIVE_INFINITY] };
      const wide = linf({ epsilon: rng.uniform(), up, down, range });
      const x = Float32Array.from({ length: 4 }, () => 0.1 + 0.8 * rng.uniform());
      const exact = perturbationEnds(wide, x, [4]);
      const { lower, upper } = boxAround(x, wide, [4], wide.epsilon);
      const { center, radius } = soundBox(wide, tf.tensor2d([[...x]]));
      const [c, r] = [center.dataSync(), radius.dataSync()];
      for (let j = 0; j < 4; j++) {
        expect(lower[j]).toBeLessThanOrEqual(exact.lower[j]!);
        expect(upper[j]).toBeGreaterThanOrEqual(exact.upper[j]!);
        expect(c[j]! - r[j]!).toBeLessThanOrEqual(exact.lower[j]!);
        expect(c[j]! + r[j]!).toBeGreaterThanOrEqual(exact.upper[j]!);
        expect(r[j]! * 2).toBeLessThanOrEqual((exact.upper[j]! - exact.lower[j]!) * 1.0001 + 1e-5);
      }
    }
  });

  it.each(['nearest', 'deployed'] as const)(
    'hold an immutable feature at the end of its range, at %s',
    async (arithmetic) => {
      // The float32 number nearest to 0.1 is larger than 0.1, and that nearest to 0.7 smaller than 0.7.
      const ends = linf({ epsilon: 0.5, scale: [1, 0, 0], range: { min: [0, 0, 0.7], max: [1, 0.1, 1] } });
      const x = [0.5, 0.1, 0.7];
      const { lower, upper } = boxAround(Float32Array.from(x), ends, [3], ends.epsilon);
      for (const [i, value] of x.entries()) {
        expect(lower[i]).toBeLessThanOrEqual(Math.fround(value));
        expect(upper[i]).toBeGreaterThanOrEqual(Math.fround(value));
      }
      for (const verifier of [
        ibpVerifier,
        soundVerifier(crownVerifier(), soundCrownSteps),
        babVerifier({ timeout: 5 }),
      ]) {
        const [held] = await results(linear([1, 1, 1], 0), ends, [x], { arithmetic, verifiers: [verifier] });
        expect(held).toMatchObject({ verifiedBy: verifier.name, lower: { [verifier.name]: expect.closeTo(0.8, 4) } });
      }
    },
  );

  it('refuse an input outside the range, by its feature', async () => {
    const ranged = linf({ epsilon: 0.1, range: { min: [0, 0, 5], max: [1, 1, 9] } });
    await expect(results(net, ranged, [[0.5, 0.5, 0.5]])).rejects.toMatchObject({
      code: 'bad-data',
      problem: 'Input 0 has the value 0.5 at position 2, outside the range [5, 9].',
    });
  });
});

describe('a Euclidean set', () => {
  // Margin 3 x + 4 y: at distance 0.5 it falls by 2.5, in the box around the ball by 3.5.
  const net = linear([3, 4], 0);
  const set = l2({ epsilon: 0.5, range: null });
  const crownIbpVerifier = boundVerifier(crownIbp);

  it.each<[string, Verifier]>([
    ['crown-ibp', crownIbpVerifier],
    ['crown', crownVerifier()],
  ])('is bounded exactly by %s where the network is linear', async (name, verifier) => {
    const [safe, open] = await results(
      net,
      set,
      [
        [1, 0],
        [0.8, 0],
      ],
      { verifiers: [ibpVerifier, verifier] },
    );
    expect(safe).toMatchObject({
      verifiedBy: name,
      lower: { ibp: expect.closeTo(-0.5, 4), [name]: expect.closeTo(0.5, 4) },
    });
    expect(open!.verifiedBy).toBeNull();
  });

  it.each(['pgd', 'apgd-ce', 'apgd-t', 'fab-t', 'square'])('is attacked by %s, which stays inside', async (name) => {
    const attack = name === 'pgd' ? { steps: 20, restarts: 2 } : null;
    const attacks = autoAttack().filter((one) => one.name === name);
    const [safe, broken] = await results(
      net,
      set,
      [
        [1, 0],
        [0.8, 0],
      ],
      { verifiers: [], attack, attacks },
    );
    expect(safe!.attack).toMatchObject({ found: false });
    expect(safe!.attack!.margin).toBeGreaterThanOrEqual(0.5 - 1e-5);
    // FAB-T moves to the decision boundary, which is further away than the radius.
    if (name !== 'fab-t') expect(safe!.attack!.margin).toBeLessThan(0.6);
    expect(broken!.attack).toMatchObject({ found: true, by: name });
  });

  it('is not called falsified for a point of its box outside the ball', async () => {
    const [open] = await results(net, set, [[1, 0]], { verifiers: [babVerifier({ timeout: 5 })] });
    expect(open).toMatchObject({ verifiedBy: null, attack: null });
  });
});

describe('categories', () => {
  // Margin x + 2 a - b, (a, b, c) one-hot.
  const net = linear([1, 2, -1, 0], 0);
  const set = linf({ epsilon: 0.5, range: null, categories: [[1, 2, 3]] });

  it('are verified box by box: every category must be safe', async () => {
    const found = await results(net, set, [
      [2, 1, 0, 0],
      [1.25, 1, 0, 0],
      [0.9, 1, 0, 0],
    ]);
    // The worst category is b: x - 0.5 - 1.
    expect(found.map(({ verifiedBy }) => verifiedBy)).toEqual(['ibp', null, null]);
    expect(found[0]!.lower.ibp).toBeCloseTo(0.5, 5);
    // b alone misclassifies the third input.
    expect(found[2]!.attack).toEqual({ found: true, margin: expect.closeTo(-0.1, 5), by: 'categories' });
    expect(found[1]!.attack).toBeNull();
  });

  it.each(['real', 'deployed'] as const)('say at %s what decided', async (arithmetic) => {
    const [safe] = await results(net, set, [[2, 1, 0, 0]], { arithmetic });
    expect(safe).toMatchObject({
      verifiedBy: 'ibp',
      levels: { ibp: { [arithmetic]: safe!.lower.ibp, step: 'float32' } },
    });
  });

  it('count in a certified radius at every size of it', async () => {
    const weights = { params: putParams(device, net.params), stats: {} };
    const certifier = createPointCertifier({
      device,
      model: net.model,
      weights,
      perturbation: set,
      verifiers: [ibpVerifier],
    });
    // With b the margin is x - 1: 0.1 for 1.1, however small the radius of x is.
    const { radius } = await certifier.radius({ pixels: Float32Array.of(1.1, 1, 0, 0), label: 0 });
    expect(radius).toBeCloseTo(0.1, 2);
    const { lower, verifiedBy } = await certifier.bound({ pixels: Float32Array.of(0.9, 1, 0, 0), label: 0 }, 0);
    expect([lower, verifiedBy]).toEqual([expect.closeTo(-0.1, 5), null]);
    await certifier.dispose();
    disposeTree(weights);
  });

  it('are a looser hull for a bound method that takes a box', async () => {
    const weights = { params: putParams(device, net.params), stats: {} };
    const prover = boundVerifier(ibp).on({ device, model: net.model, perturbation: set });
    const batch = {
      images: device.put(Float32Array.of(2, 1, 0, 0), [1, 4]),
      labels: device.put(new Int32Array(1), [1]),
    };
    const lower = await prover.lowerMargins(weights, batch, { epsilon: device.put(Float32Array.of(0.5), []) });
    // a, b and c in [0, 1] each: 1.5 + 0 - 1.
    expect(lower[0]).toBeCloseTo(0.5, 4);
    await prover.dispose();
    disposeTree(weights);
  });

  it('count at every radius of an evaluation without an attack', async () => {
    // Without the hull, x - 0.01 + 2 > 0; with b it is x - 0.01 - 1.
    const evaluator = createEvaluator({ device, model: net.model, perturbation: set });
    const weights = { params: putParams(device, net.params), stats: {} };
    const batches = [{ images: Float32Array.of(0.5, 1, 0, 0), labels: Int32Array.of(0) }];
    expect(await evaluator.evaluate(weights, { batches, epsilon: 0.01 })).toMatchObject({ verifiedError: 1 });
    await evaluator.dispose();
    disposeTree(weights);
  });

  it('refuse an input that is not one-hot', async () => {
    await expect(results(net, set, [[1, 0, 0, 0]])).rejects.toMatchObject({
      ...{ code: 'bad-data', problem: expect.stringMatching(/^Input 0: A categorical group is not one-hot/) },
    });
  });
});

it('a random network is never verified where an attack succeeds, over one-sided and immutable features', async () => {
  const model = mlp({ inputShape: [6], classes: 3, hidden: [12] });
  const rng = createRng(11, 'inputs');
  const inputs = Array.from({ length: 12 }, () => Array.from({ length: 6 }, () => rng.uniform()));
  const set = linf({ epsilon: 0.3, up: [1, 0, 0.5, 2, 1, 0], down: [0, 0, 1, 1, 0.2, 3] });
  for (const seed of [1, 2, 3]) {
    const net = { model, params: ibpInit(model, seed) };
    const verifiers = [ibpVerifier, boundVerifier(crownIbp), babVerifier({ timeout: 20 })];
    const found = await results(net, set, inputs, { verifiers, attack: { steps: 20, restarts: 2 }, complete: true });
    for (const { verifiedBy, attack } of found) if (attack?.found) expect(verifiedBy).toBeNull();
    // Complete: everything is decided.
    for (const { verifiedBy, attack, margin } of found)
      expect(verifiedBy !== null || attack?.found || margin! <= 0).toBe(true);
  }
});

it('a random network is never verified in a Euclidean set where an attack of AutoAttack succeeds', async () => {
  const model = mlp({ inputShape: [6], classes: 3, hidden: [12] });
  const rng = createRng(12, 'inputs');
  const inputs = Array.from({ length: 24 }, () => Array.from({ length: 6 }, () => rng.uniform()));
  const settled = new Set<string>();
  for (const seed of [1, 2]) {
    const net = { model, params: ibpInit(model, seed) };
    for (const attack of autoAttack()) {
      const options = { verifiers: [crownVerifier()], attacks: [attack], complete: true };
      for (const { verifiedBy, attack: result } of await results(net, l2({ epsilon: 0.1 }), inputs, options)) {
        if (verifiedBy !== null) expect(result).toMatchObject({ found: false });
        settled.add(verifiedBy ?? (result?.found ? attack.name : 'open'));
      }
    }
  }
  for (const name of ['crown', 'apgd-ce', 'apgd-t', 'fab-t', 'square']) expect(settled).toContain(name);
});

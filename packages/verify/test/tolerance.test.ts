/** A regression with a tolerance: every verifier and attack, against the property `outputInterval` and sampled points. */
import { crownIbp, ibp, naturalPass } from '@cert/bounds';
import {
  createRng,
  dense,
  type HostParams,
  linf,
  outputInterval,
  perturbationEnds,
  relu,
  sequential,
  tf,
  toTensors,
  withLabel,
  withLabelUnits,
  withTolerance,
} from '@cert/core';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import {
  alphaCrownVerifier,
  autoAttack,
  babVerifier,
  boundVerifier,
  certify,
  createDecider,
  createEvaluator,
  crownVerifier,
  type ImageResult,
  soundIbpSteps,
  soundVerifier,
} from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let device: Device;
beforeAll(async () => {
  await tf.ready();
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

const [mean, std, delta] = [5000, 300, 150];
const model = withLabelUnits(sequential([3], [dense(8), relu(), dense(1)]), { mean, std });
const set = linf({ epsilon: 0.1, scale: [1, 1, 0], range: null });
const rng = createRng(3, 'tolerance');
const tensor = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 0.7 * rng.normal()),
});
const params: HostParams = {
  dense1: { kernel: tensor(3, 8), bias: tensor(8) },
  dense2: { kernel: tensor(8, 1), bias: tensor(1) },
};
const inputs = Array.from({ length: 14 }, () => Float32Array.from({ length: 3 }, () => rng.normal()));
const predictionOf = (row: Float32Array) =>
  tf.tidy(() => {
    const network = { model, params: toTensors(params) };
    return naturalPass(network, tf.tensor2d(row, [1, 3])).output.dataSync()[0]!;
  });
/** Labels at all distances, up to 1.3 times the tolerance. */
const rows = inputs.map((row, i) => ({ row, label: Math.fround(predictionOf(row) + delta * (-1.3 + (2.6 * i) / 13)) }));

const wrapped = withTolerance(model, delta);
const images = rows.map(({ row, label }, index) => ({ index, label: 0, pixels: Float32Array.of(...row, label) }));

async function certified(options: Partial<Parameters<typeof certify>[0]>): Promise<readonly ImageResult[]> {
  const weights = { params: putParams(device, { ...params, ...wrapped.params }), stats: {} };
  const results: ImageResult[] = [];
  const stream = certify({
    ...{ device, weights, model: wrapped.model, perturbation: withLabel(set, 3), images, batchSize: 8 },
    ...{ verifiers: [], attack: null, ...options },
  });
  for await (const result of stream) results.push(result);
  disposeTree(weights);
  return results.sort((a, b) => a.index - b.index);
}

describe('a regression with a tolerance', () => {
  let exact: readonly string[];
  beforeAll(async () => {
    const decider = createDecider({ device, network: { model, params, stats: {} } });
    const verdicts: string[] = [];
    for (const { row, label } of rows) {
      const box = perturbationEnds(set, row, [3]);
      const property = outputInterval(box, { outputs: 1, min: label - delta, max: label + delta });
      verdicts.push((await decider.decide(property)).verdict);
    }
    await decider.dispose();
    exact = verdicts;
    expect(new Set(exact)).toEqual(new Set(['verified', 'falsified']));
  });

  it('has the margin 1 - |f - y| / delta', async () => {
    for (const { index, margin, prediction } of await certified({})) {
      const error = predictionOf(rows[index]!.row) - rows[index]!.label;
      expect(margin).toBeCloseTo(1 - Math.abs(error) / delta, 3);
      expect(prediction).toBe(Math.abs(error) < delta ? 0 : error > 0 ? 1 : 2);
    }
  });

  it.each([
    ['ibp', soundVerifier(boundVerifier(ibp), soundIbpSteps)],
    ['crown-ibp', boundVerifier(crownIbp)],
    ['crown', crownVerifier()],
    ['alpha-crown', alphaCrownVerifier({ timeout: 20 })],
    ['bab', babVerifier({ timeout: 20 })],
  ] as const)('%s verifies only what holds', async (name, verifier) => {
    const arithmetic = name === 'ibp' || name === 'bab' ? 'deployed' : 'nearest';
    const results = await certified({ verifiers: [verifier], arithmetic });
    const verified = results.filter(({ verifiedBy }) => verifiedBy === name).map(({ index }) => index);
    expect(verified.length).toBeGreaterThan(0);
    for (const index of verified) expect(exact[index], `row ${index}`).toBe('verified');
    if (name === 'bab') expect(verified).toHaveLength(exact.filter((verdict) => verdict === 'verified').length);
  });

  it.each(['pgd', 'apgd-ce'])('%s breaks most of what is broken, and nothing that is verified', async (name) => {
    const attacks = autoAttack().filter((attack) => attack.name === name);
    const attack = name === 'pgd' ? { steps: 20, restarts: 3 } : null;
    const broken = (await certified({ attack, attacks })).filter(
      ({ attack: found, margin }) => found?.found || margin! <= 0,
    );
    for (const { index } of broken) expect(exact[index], `row ${index}`).toBe('falsified');
    expect(broken.length).toBeGreaterThanOrEqual(0.8 * exact.filter((verdict) => verdict === 'falsified').length);
  });

  it('is evaluated in the units of the label', async () => {
    const evaluator = createEvaluator({ device, model: wrapped.model, perturbation: withLabel(set, 3), delta });
    const weights = { params: putParams(device, { ...params, ...wrapped.params }), stats: {} };
    const batches = images.map(({ pixels }) => ({ images: pixels, labels: Int32Array.of(0) }));
    const errors = rows.map(({ row, label }) => Math.abs(predictionOf(row) - label));
    for (const attack of [null, { steps: 10, restarts: 1 }]) {
      const found = await evaluator.evaluate(weights, { batches, epsilon: 0.1, attack });
      expect(found.absoluteError).toBeCloseTo(errors.reduce((a, b) => a + b) / errors.length, 1);
      expect(found.verifiedAbsoluteError).toBeGreaterThan(found.absoluteError!);
      expect(found.standardError).toBe(errors.filter((error) => error >= delta).length / errors.length);
      // The bound of every row holds at every sampled point.
      const worst = rows.map(({ row, label }) => {
        const { lower, upper } = perturbationEnds(set, row, [3]);
        const points = Array.from({ length: 50 }, () =>
          row.map((_, i) => lower[i]! + rng.uniform() * (upper[i]! - lower[i]!)),
        );
        return Math.max(...points.map((point) => Math.abs(predictionOf(Float32Array.from(point)) - label)));
      });
      expect(found.verifiedAbsoluteError! + 1e-2).toBeGreaterThan(worst.reduce((a, b) => a + b) / worst.length);
    }
    disposeTree(weights);
    await evaluator.dispose();
  });
});

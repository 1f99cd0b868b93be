import { epsilonUp, ibp, marginSpec, runningNorm, soundBall, soundIbp } from '@cert/bounds';
import { createRng, type HostBatch, sizeOf, type Tensor, tf } from '@cert/core';
import { type Device, disposeTree, eagerDevice, putBatch, putParams, putScalars } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  adversarialNetworks,
  cancellingNetwork,
  drawExecution,
  drawPoint,
  executor,
  float32Ends,
  type HostNetwork,
  PLAIN,
  smallModels,
} from '../../../soundness/src/index.js';
import { soundIbpSteps, soundVerifier } from './sound-verifier.js';
import { boundVerifier, type Weights } from './verifier.js';

let cpu: Device;
beforeAll(async () => {
  await tf.ready();
  cpu = await cpuDevice({ threads: 1 });
});
afterAll(() => cpu.dispose());

/** Bounds as the device compiles them. */
async function compiled(device: Device, { model, params, stats }: HostNetwork, x: Float32Array, epsilon: number) {
  const bound = device.jit((weights: Weights, images: Tensor, radius: Tensor) => {
    const network = { model, params: weights.params, norm: runningNorm(weights.stats) };
    const problem = { network, box: soundBall(images, radius) };
    const method = soundIbp({ level: 'deployed' });
    const logits = method.bound(problem).output;
    const spec = marginSpec(tf.fill([images.shape[0]!], 0, 'int32'), model.classes);
    return { lower: logits.lower, upper: logits.upper, margins: method.bound({ ...problem, spec }).output.lower };
  });
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const images = device.put(x, [x.length / sizeOf(model.inputShape), ...model.inputShape]);
  const radius = device.put(Float32Array.of(epsilonUp(epsilon)), []);
  const out = await bound(weights, images, radius);
  const [lower, upper, margins] = await Promise.all([out.lower.data(), out.upper.data(), out.margins.data()]);
  disposeTree([weights, images, radius, out]);
  await bound.dispose();
  return { lower, upper, margins };
}

describe.each(smallModels())('soundIbp compiled, on $name', ({ name, model }) => {
  it.each([null, 8])('contains every float32 execution: block %s', async (block) => {
    const device = await cpuDevice({ threads: 1, block });
    const rng = createRng(11, name);
    for (let net = 0; net < 6; net++) {
      const network = cancellingNetwork(model, rng);
      const x = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
      for (const epsilon of [0, 1e-7, 0.1]) {
        const { lower, upper, margins } = await compiled(device, network, x, epsilon);
        const [run, ends] = [executor(network), float32Ends({ image: x, epsilon, range: { min: 0, max: 1 } })];
        for (let draw = 0; draw < 12; draw++) {
          const logits = run(drawPoint(ends, x, rng), drawExecution(rng));
          logits.forEach((value, i) => {
            expect(value).toBeGreaterThanOrEqual(lower[i]!);
            expect(value).toBeLessThanOrEqual(upper[i]!);
            if (i > 0) expect(logits[0]! - value).toBeGreaterThanOrEqual(margins[i - 1]!);
          });
        }
      }
    }
    await device.dispose();
  });
});

describe('a sound verifier', () => {
  const verifier = soundVerifier(boundVerifier(ibp), soundIbpSteps);

  async function prove(device: Device, network: HostNetwork, host: HostBatch, epsilon: number, count: number) {
    const { model, params, stats } = network;
    const weights = { params: putParams(device, params), stats: putParams(device, stats) };
    const batch = putBatch(device, model, host);
    const hyper = putScalars(device, { epsilon: epsilonUp(epsilon) });
    const live = device.live;
    const prover = verifier.soundOn!({ device, model, level: 'deployed' });
    const results = await prover.lowerMargins(weights, batch, hyper, count);
    expect(device.live).toBe(live);
    await prover.dispose();
    disposeTree([weights, batch, hyper]);
    return results;
  }

  it.each(['cpu', 'tfjs', 'another'])(
    'refuses a network that loses a neuron beside a large number, on the device %s',
    async (on) => {
      const device =
        on === 'cpu' ? cpu : eagerDevice({ name: on, ...(on === 'another' && { roundsToNearest: false }) });
      // Class 0 wins where 128 x is below 32, over the real numbers. Of this seed the large number is 2^36: float64 loses little.
      const network = adversarialNetworks({ seed: 2 }).find(({ name }) => name === 'lost-center')!;
      const images = Float32Array.of(0.5, 0.125, 0, 0);
      const host = { images, labels: new Int32Array(4) };
      const results = await prove(device, network, host, 0.125, 3);
      expect(results).toHaveLength(3);
      for (const { nearest, real, deployed, step } of results) {
        expect(step).toBe('float64');
        expect(nearest).toBeGreaterThan(0);
        expect(deployed).toBeLessThan(0);
        expect(real).toBeDefined();
      }
      expect(results[0]!.real).toBeLessThan(0);
      expect(results[1]!.real).toBeCloseTo(0, 2);
      expect(results[2]!.real).toBeCloseTo(16, 2);
    },
  );

  it('decides by float32 what float32 can decide, on devices that round to nearest', async () => {
    const { model } = smallModels()[0]!;
    const network = cancellingNetwork(model, { ...createRng(2), uniform: () => 1 / 3 });
    const rng = createRng(3);
    const images = Float32Array.from({ length: 40 * 24 }, () => rng.uniform());
    const run = executor(network);
    const labels = Int32Array.from({ length: 24 }, (_, i) =>
      run(images.slice(40 * i, 40 * i + 40), PLAIN).reduce((best, v, j, all) => (v > all[best]! ? j : best), 0),
    );
    const results = await prove(cpu, network, { images, labels }, 1e-4, 24);
    expect(results.every(({ step, deployed }) => step === 'float32' && deployed! > 0)).toBe(true);
    const elsewhere = await prove(
      eagerDevice({ name: 'another', roundsToNearest: false }),
      network,
      { images, labels },
      1e-4,
      24,
    );
    expect(elsewhere.every(({ step, deployed }) => step === 'float64' && deployed! > 0)).toBe(true);
    elsewhere.forEach(({ deployed, nearest }, i) => {
      expect(deployed!).toBeGreaterThan(results[i]!.deployed!);
      expect(deployed!).toBeLessThan(nearest! + 1e-5);
    });
  });
});

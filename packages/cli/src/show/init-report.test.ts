import { batchNorm, dense, linf, relu, sequential, tf } from '@cert/core';
import { gainReport, ibpInit, xavierInit } from '@cert/init';
import { openDevice } from '@cert/jit/node';
import { chooseDevice } from '@cert/trainer/pipeline';
import { describe, expect, it } from 'vitest';
import { compareInits, formatInitReport, type InitReport } from './init-report.js';

const model = sequential([6], [dense(8), relu(), dense(8), batchNorm(), relu(), dense(3)]);
const images = Float32Array.from({ length: 4 * 6 }, (_, i) => ((i * 7) % 11) / 11);
const options = { model, images, perturbation: linf({ epsilon: 0.1 }) };

describe('compareInits', () => {
  it('is the gain report of each initialization and seed, on any device', async () => {
    for (const name of ['tfjs', 'auto']) {
      const { device } = await chooseDevice(name);
      const steps: string[] = [];
      const report = await compareInits({
        ...{ ...options, device, inits: { xavier: xavierInit, ibp: ibpInit }, seeds: [3, 5] },
        onProgress: (done, init, seed) => void steps.push(`${done} ${init} ${seed}`),
      });
      expect(steps).toEqual(['0 xavier 3', '1 xavier 5', '2 ibp 3', '3 ibp 5']);
      expect(report).toMatchObject({ images: 4, epsilon: 0.1, seeds: [3, 5], parameters: 56 + 72 + 16 + 27 });
      expect(device.live).toBe(0);
      await device.dispose();

      const x = tf.tensor2d(images, [4, 6]);
      for (const [i, initialize] of [xavierInit, ibpInit].entries()) {
        const { layers, bySeed } = report.inits[i]!;
        const each = await Promise.all(
          [3, 5].map((seed) => gainReport(model, initialize(model, seed), x, { epsilon: 0.1 })),
        );
        expect(layers.map(({ node }) => node)).toEqual(['input', 'dense1', 'batchNorm1', 'dense3']);
        layers.forEach((row, k) => {
          const [a, b] = each.map((rows) => rows[k]!);
          expect(bySeed[0]![k]).toBeCloseTo(a!.meanRadius, 5);
          expect(row.meanRadius).toBeCloseTo((a!.meanRadius + b!.meanRadius) / 2, 5);
          if (a!.expected === null) expect(row.expected).toBeNull();
          else expect(row.expected).toBeCloseTo((a!.expected + b!.expected!) / 2, 5);
          if (k > 0) expect(row.gain).toBeCloseTo(row.meanRadius / layers[k - 1]!.meanRadius, 10);
        });
      }
      x.dispose();
    }
  });

  it('stops between two measurements, and frees what it holds', async () => {
    const device = await openDevice('tfjs');
    const controller = new AbortController();
    const asked = compareInits({
      ...{ ...options, device, inits: { xavier: xavierInit, ibp: ibpInit }, seeds: [0], signal: controller.signal },
      onProgress: (done) => done === 1 && controller.abort(new Error('enough')),
    });
    await expect(asked).rejects.toThrow('enough');
    expect(device.live).toBe(0);
    await device.dispose();
  });
});

describe('formatInitReport', () => {
  it('has the radii, and the gains with the expected ones', () => {
    const layers = [
      { node: 'input', meanRadius: 0.1, gain: null, expected: null },
      { node: 'bn1', meanRadius: 0.25, gain: 2.5, expected: null },
      { node: 'dense2', meanRadius: 1234, gain: 4936, expected: 5000 },
    ];
    const report: InitReport = {
      ...{ parameters: 1, images: 1, epsilon: 0.1, seeds: [0] },
      inits: [{ name: 'xavier', layers, bySeed: [[0.1, 0.25, 1234]] }],
    };
    expect(formatInitReport(report).split('\n')).toEqual([
      'mean radius   xavier',
      'input          0.100',
      'bn1            0.250',
      'dense2       1.23e+3',
      '',
      'gain (expected)             xavier',
      'input',
      'bn1                       2.50 (-)',
      'dense2           4.94e+3 (5.00e+3)',
    ]);
  });
});

import { crownIbp, ibp } from '@cert/bounds';
import { createRng, tf } from '@cert/core';
import type { Device } from '@cert/jit';
import { beforeAll, describe, expect, it } from 'vitest';
import { createDigitNetwork, type DigitNetwork, marginOf, smallest } from '../src/digits/network.js';
import { verdictOf } from '../src/digits/verdict.js';
import { checkpoint, digit, labels, openDevice } from './networks.js';

let device: Device;
let [certified, plain]: DigitNetwork[] = [];
beforeAll(async () => {
  device = await openDevice();
  certified = createDigitNetwork(device, checkpoint('certified'));
  plain = createDigitNetwork(device, checkpoint('plain'));
});

describe('the committed networks', () => {
  it('have the checksum and the errors that the page prints', () => {
    expect(checkpoint('certified')).toMatchObject({ checksum: 'verified', metadata: { method: 'fast', epsilon: 0.1 } });
    expect(checkpoint('plain')).toMatchObject({ checksum: 'verified', metadata: { method: 'natural', epsilon: 0.1 } });
  });

  it('read most test digits, and only the certified one is verified at 0.1', async () => {
    let [right, verified, verifiedPlain] = [0, 0, 0];
    for (let i = 0; i < 10; i++) {
      const analysis = await certified!.analyze(digit(i), 0.1);
      right += Number(analysis.prediction === labels[i]);
      verified += Number(analysis.bounds.some((bound) => bound.verified));
      verifiedPlain += Number((await plain!.analyze(digit(i), 0.1)).bounds.some((bound) => bound.verified));
    }
    expect(right).toBeGreaterThanOrEqual(8);
    expect(verified).toBeGreaterThanOrEqual(7);
    expect(verifiedPlain).toBe(0);
  });
});

describe('analyze', () => {
  it.each([0.02, 0.1])('contains the logits of points of the ball, at %f', async (epsilon) => {
    const rng = createRng(0, 'points', epsilon);
    for (const network of [certified!, plain!]) {
      const analysis = await network.analyze(digit(2), epsilon);
      const own = analysis.prediction!;
      expect(analysis.bounds.map(({ method }) => method)).toEqual(['ibp', 'crown-ibp']);
      for (let k = 0; k < 20; k++) {
        const point = digit(2).map((pixel) => Math.min(1, Math.max(0, pixel + epsilon * Math.sign(rng.normal()))));
        const logits = await network.logits(point);
        const margins = logits.flatMap((logit, j) => (j === own ? [] : [logits[own]! - logit]));
        for (const { lower, upper, margins: bounds } of analysis.bounds) {
          logits.forEach((logit, j) => {
            expect(logit).toBeGreaterThanOrEqual(lower[j]! - 1e-4);
            expect(logit).toBeLessThanOrEqual(upper[j]! + 1e-4);
          });
          margins.forEach((margin, row) => {
            expect(margin).toBeGreaterThanOrEqual(bounds[row]! - 1e-4);
          });
        }
      }
    }
  });

  it('gives widths in the order of the layers, larger for the plain network', async () => {
    const [narrow, wide] = [await certified!.analyze(digit(0), 0.1), await plain!.analyze(digit(0), 0.1)];
    const names = narrow.widths.map(({ node }) => node);
    expect([names[0], names[1], names.at(-1)]).toEqual(['input', 'conv1', 'logits']);
    expect(names).not.toContain('flatten');
    const { lower, upper } = narrow.bounds[0]!;
    const mean = upper.reduce((sum, end, j) => sum + end - lower[j]!, 0) / upper.length;
    expect(narrow.widths.at(-1)!.width).toBeCloseTo(mean, 3);
    expect(wide.widths.at(-1)!.width).toBeGreaterThan(50 * narrow.widths.at(-1)!.width);
  });

  it('leaves no arrays behind', async () => {
    await certified!.analyze(digit(0), 0.1);
    const before = [device.live, tf.memory().numTensors];
    await certified!.analyze(digit(1), 0.05);
    await certified!.radius(digit(1), labels[1]!, ibp);
    expect([device.live, tf.memory().numTensors]).toEqual(before);
  });

  it('verifies nothing where bounds overflow or a weight is NaN', async () => {
    const { params, ...others } = checkpoint('certified');
    const broken = (value: number) => {
      const kernel = { ...params.conv1!.kernel!, data: Float32Array.from(params.conv1!.kernel!.data) };
      kernel.data[0] = value;
      return createDigitNetwork(device, { ...others, params: { ...params, conv1: { ...params.conv1!, kernel } } });
    };
    const image = digit(0);
    for (const network of [broken(Number.NaN), broken(3e38)]) {
      const analysis = await network.analyze(image, 0.1);
      expect(analysis.bounds.filter(({ verified }) => verified)).toEqual([]);
      expect(verdictOf(analysis).kind).not.toBe('verified');
    }
  });
});

describe('radius', () => {
  it.each([
    ['ibp', ibp],
    ['crown-ibp', crownIbp],
  ] as const)('bisects for the largest radius that %s verifies, to 1 percent', async (_, method) => {
    const [image, label] = [digit(3), labels[3]!];
    const radius = await certified!.radius(image, label, method);
    const verifiedAt = async (epsilon: number) =>
      (await certified!.analyze(image, epsilon)).bounds.find((bound) => bound.method === method.name)!.verified;
    expect(radius).toBeGreaterThan(0.1);
    expect(await verifiedAt(radius)).toBe(true);
    expect(await verifiedAt(radius * 1.02)).toBe(false);
  });

  it('is 0 for a class that is not the prediction', async () => {
    expect(await certified!.radius(digit(3), (labels[3]! + 1) % 10, ibp)).toBe(0);
  });
});

it('reads margins so that NaN is never a margin', () => {
  expect(marginOf([1, 3, 2], 1)).toBe(1);
  expect(marginOf([1, Number.NaN, 2], 2)).toBeNull();
  expect(smallest([2, 1])).toBe(1);
  expect(smallest([2, Number.NaN])).toBeNull();
  expect(smallest([2, Number.POSITIVE_INFINITY])).toBeNull();
  expect(smallest([])).toBeNull();
});

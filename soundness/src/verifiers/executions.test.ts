/** Devices are float32 executions: what they compute at points of a ball lies inside of the bounds at level `deployed`. */
import { createRng } from '@cert/core';
import { type Device, eagerDevice } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { soundCrownSteps, soundIbpSteps } from '@cert/verify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { drawPoint, float32Ends } from '../box.js';
import { drawProblem, GRAPHS } from '../random/draw-network.js';
import { float64Margins } from './float64.js';
import { logitsOn } from './on-device.js';
import { soundBounds } from './sound.js';

/** Points of each ball. */
const POINTS = 16;
const SEED = 3;

let devices: readonly Device[];
beforeAll(async () => {
  const named = process.env.CERT_TEST_DEVICE;
  // ONNX Runtime takes the cores that it finds, and sums up in an order of its own.
  devices = named === undefined ? [eagerDevice(), await openDevice('cpu')] : [await openDevice(named)];
});
afterAll(async () => {
  for (const device of devices) await device.dispose();
});

it('the logits of every device lie inside of the bounds, and its margins above theirs', async () => {
  const outside: string[] = [];
  let seen = 0;
  for (let index = 0; index < GRAPHS; index++) {
    const problem = drawProblem(SEED, index);
    const { network, label, image } = problem;
    const { classes } = network.model;
    const logits = await soundBounds(network, problem, 'deployed');
    const margins = [];
    for (const steps of [soundIbpSteps, soundCrownSteps]) {
      margins.push((await float64Margins(steps)(network, problem, 'deployed')).lower);
    }
    // NaN claims nothing.
    expect(margins.every((lower) => Array.from(lower).every(Number.isFinite))).toBe(true);
    const rng = createRng(SEED, 'executions', index);
    const ends = float32Ends(problem);
    const points = Array.from({ length: POINTS }, () => drawPoint(ends, image, rng));
    for (const device of devices) {
      const values = await logitsOn(device, network, Float32Array.from(points.flatMap((point) => [...point])));
      for (let p = 0; p < POINTS; p++) {
        const own = values.slice(p * classes, (p + 1) * classes);
        const others = own.filter((_, j) => j !== label).map((other) => own[label]! - other);
        const fits =
          own.every((value, j) => value >= logits.lower[j]! && value <= logits.upper![j]!) &&
          margins.every((lower) => others.every((margin, row) => margin >= lower[row]!));
        if (!fits) outside.push(`network ${index} on ${device.name}, point ${p}`);
        seen += classes;
      }
    }
  }
  expect(outside).toEqual([]);
  expect(seen).toBeGreaterThan(GRAPHS * POINTS);
}, 120_000);

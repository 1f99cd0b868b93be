import { tf } from '@cert/core';
import type { Device } from '@cert/jit';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AttackResult, attack, attackAndBisect, attackAt, weakest } from '../src/digits/attack.js';
import { createDigitNetwork, type DigitNetwork, marginOf } from '../src/digits/network.js';
import { checkpoint, digit, labels, openDevice } from './networks.js';

const { signal } = new AbortController();
let device: Device;
let [certified, plain]: DigitNetwork[] = [];
beforeAll(async () => {
  device = await openDevice();
  certified = createDigitNetwork(device, checkpoint('certified'));
  plain = createDigitNetwork(device, checkpoint('plain'));
});

describe('attack', () => {
  it('finds a point of the ball that the plain network misreads', async () => {
    const [image, label, epsilon] = [digit(0), labels[0]!, 0.1];
    const { found } = await attack(plain!, image, label, { epsilon, signal });
    expect(Math.max(...found!.pixels.map((pixel, i) => Math.abs(pixel - image[i]!)))).toBeLessThanOrEqual(
      epsilon + 1e-7,
    );
    expect([Math.min(...found!.pixels) >= 0, Math.max(...found!.pixels) <= 1]).toEqual([true, true]);
    expect(await plain!.logits(found!.pixels)).toEqual(found!.logits);
    expect(marginOf(found!.logits, label)).toBeLessThanOrEqual(0);
    expect(found!.prediction).not.toBe(label);
  });

  it('finds none where bounds verify, and leaves no arrays behind', async () => {
    const before = [device.live, tf.memory().numTensors];
    expect(await attack(certified!, digit(0), labels[0]!, { epsilon: 0.1, signal })).toEqual({
      epsilon: 0.1,
      found: null,
    });
    expect([device.live, tf.memory().numTensors]).toEqual(before);
  });

  it('stops', async () => {
    await expect(
      attack(plain!, digit(0), labels[0]!, { epsilon: 0.0001, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});

it('bisects for the smallest radius at which the attack succeeds', async () => {
  const results: AttackResult[] = [];
  for await (const result of attackAndBisect(plain!, digit(0), labels[0]!, { epsilon: 0.1, signal }))
    results.push(result);
  expect(results.map(({ epsilon }) => epsilon).slice(0, 2)).toEqual([0.1, 0.05]);
  const least = weakest(results)!;
  const failed = results.filter(({ found }) => found === null).map(({ epsilon }) => epsilon);
  expect(least).toBeLessThan(0.1);
  expect(Math.max(0, ...failed)).toBeCloseTo(least - 0.1 / 2 ** 6, 10);
});

it('shows the attack that fits the radius', () => {
  const found = { pixels: new Float32Array(1), logits: [0, 1], prediction: 1 };
  const results = [
    { epsilon: 0.1, found },
    { epsilon: 0.05, found: null },
    { epsilon: 0.07, found },
  ];
  expect(attackAt(results, 0.2)).toBe(results[0]);
  expect(attackAt(results, 0.08)).toBe(results[2]);
  expect(attackAt(results, 0.05)).toBe(results[1]);
  expect(attackAt(results, 0.06)).toBeUndefined();
  expect(attackAt([], 0.1)).toBeUndefined();
  expect([weakest(results), weakest([])]).toEqual([0.07, null]);
});

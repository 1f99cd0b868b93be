import { dense, l2, linf, type Perturbation, sequential } from '@cert/core';
import { type Device, disposeTree, eagerDevice, type OnDevice, putParams } from '@cert/jit';
import { afterAll, describe, expect, it } from 'vitest';
import { isBroken } from '../images/result.js';
import type { Item } from '../images/stage.js';
import type { Attack } from './attack.js';
import { fabT } from './fab.js';
import { pgd } from './pgd.js';
import { attackStage } from './pool.js';
import { square } from './square.js';

/** A linear classifier of one pixel: the margin of class 0 is 2x - 1. */
const model = sequential([1], [dense(2)]);
const weights = {
  dense1: {
    kernel: { shape: [1, 2], data: Float32Array.of(1, -1) },
    bias: { shape: [2], data: Float32Array.of(0, 1) },
  },
};
const eager = eagerDevice();
afterAll(() => eager.dispose());

const item = (pixel: number, index: number): Item => ({
  ...{ index, label: 0, pixels: Float32Array.of(pixel), prediction: 0, margin: 2 * pixel - 1, size: 1 },
  ...{ lower: {}, attack: null },
});

async function attackAll(pixels: number[], batchSize: number, attack: { steps: number; restarts: number }) {
  let calls = 0;
  const counting: Device = {
    ...eager,
    jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out) {
      const compiled = eager.jit(f);
      const count = (...args: { [K in keyof Args]: OnDevice<Args[K]> }) => {
        calls++;
        return compiled(...args);
      };
      return Object.assign(count, { traces: 0, dispose: () => compiled.dispose() });
    },
  };
  const network = { params: putParams(eager, weights), stats: {} };
  const stage = attackStage({
    ...{
      device: counting,
      model,
      weights: network,
      perturbation: linf({ epsilon: 0.1 }),
      attack: pgd(attack),
      batchSize,
    },
    picks: (image) => !isBroken(image),
    settle: (image, result) => ({ ...image, attack: result }),
  });
  const images = async function* () {
    yield* pixels.map(item);
  };
  const settled: Item[] = [];
  for await (const image of stage(images())) settled.push(image);
  disposeTree(network);
  const found = new Map(settled.map(({ index, attack: result }) => [index, result?.found ?? null]));
  return { calls, found: pixels.map((_, index) => found.get(index)), order: settled.map(({ index }) => index) };
}

/** The result of each image, in the order of their indices. */
async function resultsOf(
  images: readonly Item[],
  batchSize: number,
  attack: Attack | { steps: number; restarts: number },
  perturbation: Perturbation = linf({ epsilon: 0.1 }),
) {
  const network = { params: putParams(eager, weights), stats: {} };
  const stage = attackStage({
    ...{ device: eager, model, weights: network, perturbation, batchSize },
    attack: 'on' in attack ? attack : pgd(attack),
    picks: (image) => !isBroken(image),
    settle: (image, result) => ({ ...image, attack: result }),
  });
  const settled: Item[] = [];
  for await (const image of stage(
    (async function* () {
      yield* images;
    })(),
  )) {
    settled.push(image);
  }
  disposeTree(network);
  return settled.sort((a, b) => a.index - b.index).map(({ attack: result }) => result ?? undefined);
}

describe('attackStage', () => {
  it('does not attack what is not picked, and computes nothing for it', async () => {
    const { calls, found } = await attackAll([0.4, 0.3], 4, { steps: 5, restarts: 2 });
    expect([calls, found]).toEqual([0, [null, null]]);
  });

  it('is done with an image at the first misclassified point', async () => {
    // Any point of the ball of 0.55 below 0.5 is misclassified: five steps of 0.02 cross it from anywhere.
    const { calls, found } = await attackAll([0.55], 1, { steps: 12, restarts: 10 });
    expect(found).toEqual([true]);
    expect(calls).toBeLessThanOrEqual(10);
  });

  it('runs all restarts of an image that withstands, in free places side by side', async () => {
    const attack = { steps: 5, restarts: 4 };
    // One restart takes 6 points. One place: one after the other. Four: all at once.
    expect(await attackAll([0.9], 1, attack)).toMatchObject({ calls: 24, found: [false] });
    expect(await attackAll([0.9], 4, attack)).toMatchObject({ calls: 6, found: [false] });
    // Two images in three places: first one restart each and one more, then the others as places become free.
    expect(await attackAll([0.9, 0.8], 3, attack)).toMatchObject({ calls: 18, found: [false, false] });
  });

  it('gives places that become free to images that wait', async () => {
    const pixels = [0.9, 0.55, 0.55, 0.55, 0.55, 0.4, 0.55, 0.8];
    const { calls, found, order } = await attackAll(pixels, 2, { steps: 11, restarts: 1 });
    expect(found).toEqual([false, true, true, true, true, null, true, false]);
    expect([...order].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(order.indexOf(1)).toBeLessThan(order.indexOf(0));
    // A batch after the other would take 4 times 12.
    expect(calls).toBeLessThan(48);
  });

  it('gives an image the same result with neighbours as alone, to the last digit', async () => {
    const pixels = [0.9, 0.57, 0.55, 0.62, 0.58, 0.4, 0.53, 0.8];
    const images = pixels.map(item);
    const ball = l2({ epsilon: 0.1 });
    for (const [attack, set] of [
      [{ steps: 3, restarts: 4 }],
      [fabT({ steps: 4, restarts: 2 })],
      [fabT({ steps: 4, restarts: 2 }), ball],
      [square({ queries: 5, restarts: 2 }), ball],
    ] as const) {
      const together = await resultsOf(images, 8, attack, set);
      const alone = [];
      for (const image of images) alone.push(...(await resultsOf([image], 8, attack, set)));
      expect(together).toEqual(alone);
      expect(new Set(together.map((result) => result?.found))).toEqual(new Set([true, false, undefined]));
    }
    // What one place claims says nothing of a place whose point is not in the set.
    const outside: Attack = {
      ...{ name: 'outside', runs: () => 1, points: 3 },
      on({ device, places }) {
        const [points, claims] = [new Float32Array(places).fill(1), new Float32Array(places)];
        let visited = device.put(points, [places, 1]);
        return {
          begin(place, image) {
            points[place] = image.pixels[0]! - 0.2;
            claims[place] = image.index === 1 ? -1 : Number.POSITIVE_INFINITY;
          },
          async step() {
            visited.dispose();
            visited = device.put(points, [places, 1]);
            return [...claims];
          },
          visited: () => visited,
          dispose: async () => visited.dispose(),
        };
      },
    };
    const [first] = await resultsOf([item(0.55, 0), item(0.56, 1)], 4, outside);
    expect([first]).toEqual(await resultsOf([item(0.55, 0)], 4, outside));
    expect(first?.found).toBe(false);
  });

  it('leaves no array behind, also when its reader stops early', async () => {
    const live = eager.live;
    await attackAll([0.9, 0.55], 2, { steps: 2, restarts: 2 });
    expect(eager.live).toBe(live);
    const network = { params: putParams(eager, weights), stats: {} };
    const stage = attackStage({
      ...{
        device: eager,
        model,
        weights: network,
        perturbation: linf({ epsilon: 0.1 }),
        attack: pgd({ steps: 2, restarts: 1 }),
        batchSize: 1,
      },
      ...{ picks: () => true, settle: (image: Item) => image },
    });
    const images = async function* () {
      yield* [0.9, 0.8].map(item);
    };
    for await (const _ of stage(images())) break;
    disposeTree(network);
    expect(eager.live).toBe(live);
  });

  it.each([
    // The margin of a pixel x is 2x - 1: positive above 0.5. The ball of 0.8 reaches from 0.7 to 0.9.
    ['a point that is classified correctly', 0.8, 0.75, false, 0.5],
    ['a point outside the ball', 0.8, 0.1, false, 0.4],
    ['an undefined point', 0.8, Number.NaN, false, 0.4],
    ['a misclassified point', 0.55, 0.47, true, -0.06],
  ])('runs the natural pass again on what an attack claims: %s', async (_, pixel, claimed, found, margin) => {
    const liar: Attack = {
      ...{ name: 'liar', runs: () => 2, points: 3 },
      on: ({ device, places }) => {
        const points = device.put(new Float32Array(places).fill(claimed), [places, 1]);
        return {
          begin: () => {},
          step: async () => Array.from({ length: places }, () => -1),
          visited: () => points,
          dispose: async () => points.dispose(),
        };
      },
    };
    const live = eager.live;
    const network = { params: putParams(eager, weights), stats: {} };
    const stage = attackStage({
      ...{
        device: eager,
        model,
        weights: network,
        perturbation: linf({ epsilon: 0.1 }),
        attack: liar,
        batchSize: 4,
        picks: () => true,
      },
      settle: (image, result) => ({ ...image, attack: result }),
    });
    const images = async function* () {
      yield item(pixel, 0);
    };
    for await (const { attack } of stage(images())) {
      expect(attack).toEqual({ found, margin: expect.closeTo(margin, 5), ...(found && { by: 'liar' }) });
    }
    disposeTree(network);
    expect(eager.live).toBe(live);
  });
});

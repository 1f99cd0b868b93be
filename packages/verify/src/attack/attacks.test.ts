import { dense, flatten, type HostParams, l2, linf, type Model, relu, sequential, tf } from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { mlp } from '@cert/models';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certify } from '../images/certify.js';
import type { CertifyOptions, IndexedImage } from '../images/certify-options.js';
import type { ImageResult } from '../images/result.js';
import { apgdCe, apgdT } from './apgd.js';
import type { Attack } from './attack.js';
import { autoAttack } from './auto-attack.js';
import { fabT } from './fab.js';
import { pgd } from './pgd.js';
import { square } from './square.js';

let device: Device;
/** How often each function was traced when it was disposed. */
const traces: number[] = [];
beforeAll(async () => {
  await tf.ready();
  const opened = await openDevice('cpu');
  device = {
    ...{ name: opened.name, description: opened.description, put: opened.put },
    get live() {
      return opened.live;
    },
    jit(f) {
      const compiled = opened.jit(f);
      const dispose = compiled.dispose;
      return Object.assign(compiled, {
        dispose() {
          traces.push(compiled.traces);
          return dispose();
        },
      });
    },
    dispose: () => opened.dispose(),
  };
});
afterAll(() => device.dispose());

const ATTACKS = [
  pgd({ steps: 50, restarts: 2 }),
  apgdCe({ steps: 50 }),
  apgdT({ steps: 50 }),
  fabT({ steps: 50 }),
  square({ queries: 400 }),
];

interface Case {
  readonly model: Model;
  readonly params: HostParams;
  readonly images: readonly IndexedImage[];
}

/** Attacks images without methods, and gives what is known of each in order. */
async function run(
  { model, params, images }: Case,
  { epsilon = 0.1, ...options }: Partial<CertifyOptions> & { readonly epsilon?: number },
): Promise<readonly ImageResult[]> {
  const weights = { params: putParams(device, params), stats: {} };
  const results: ImageResult[] = [];
  try {
    for await (const result of certify({
      ...{ device, model, weights, images, verifiers: [], attack: null, batchSize: 8 },
      perturbation: linf({ epsilon }),
      ...options,
    })) {
      results.push(result);
    }
  } finally {
    disposeTree(weights);
  }
  return results.sort((a, b) => a.index - b.index);
}

interface Linear extends Case {
  readonly rows: readonly (readonly number[])[];
  readonly bias: number;
}

/** Two images, some pixels of which are closer to the end of the range than the radii of the tests. */
const IMAGES = [
  [0.5, 0.02, 0.97, 0.4, 0.6],
  [0.3, 0.55, 1, 0, 0.45],
] as const;

/** A linear classifier of 5 pixels that gives an image of class 0 the margin 0.4. */
function linear(classes: number, image: readonly number[] = IMAGES[0]): Linear {
  const rows = image.map((_, i) => Array.from({ length: classes }, (__, j) => 2 * Math.sin(1 + 3 * i + 4 * j)));
  const logits = rows[0]!.map((_, j) => image.reduce((sum, x, i) => sum + x * rows[i]![j]!, 0));
  const bias = Math.max(...logits.slice(1)) - logits[0]! + 0.4;
  return {
    ...{ rows, bias, model: sequential([5], [dense(classes)]) },
    images: [{ index: 0, label: 0, pixels: Float32Array.from(image) }],
    params: {
      dense1: {
        kernel: { shape: [5, classes], data: Float32Array.from(rows.flat()) },
        bias: { shape: [classes], data: Float32Array.from({ length: classes }, (_, j) => (j === 0 ? bias : 0)) },
      },
    },
  };
}

/** The smallest margin of a linear classifier over a clipped ball: each pixel goes to the end that is worse. */
const exactMargin = ({ rows, bias, images }: Linear, epsilon: number): number =>
  Math.min(
    ...rows[0]!.slice(1).map((_, j) =>
      [...images[0]!.pixels].reduce((sum, x, i) => {
        const slope = rows[i]![0]! - rows[i]![j + 1]!;
        const end = slope > 0 ? Math.max(x - epsilon, 0) : Math.min(x + epsilon, 1);
        return sum + slope * end;
      }, bias),
    ),
  );

/** The radius at which the margin of an image becomes 0. */
function exactRadius(net: Linear): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (exactMargin(net, middle) > 0) low = middle;
    else high = middle;
  }
  return high;
}

describe.each(ATTACKS.map((attack) => [attack.name, attack] as const))('%s', (name, attack) => {
  // Without a target class an attack can follow the wrong one of many.
  it.each(['pgd', 'apgd-ce'].includes(name) ? [2, 3] : [2, 3, 12])(
    'breaks a linear classifier of %i classes where, and only where, it can be broken',
    async (classes) => {
      for (const image of IMAGES) {
        const net = linear(classes, image);
        const radius = exactRadius(net);
        expect(radius).toBeGreaterThan(0.02);
        expect(radius).toBeLessThan(0.5);
        const [broken] = await run(net, { epsilon: 1.01 * radius, attacks: [attack] });
        expect(broken!.attack).toEqual({ found: true, by: name, margin: expect.toSatisfy((m: number) => m <= 0) });
        const [robust] = await run(net, { epsilon: 0.99 * radius, attacks: [attack] });
        expect(robust!.attack).toMatchObject({ found: false });
        expect(robust!.attack!.margin!).toBeGreaterThanOrEqual(exactMargin(net, 0.99 * radius) - 1e-5);
      }
    },
  );

  it('gives the same whatever the batch, compiles each function once and leaves no array behind', async () => {
    const model = mlp({ inputShape: [4, 3, 2], classes: 5, hidden: [12] });
    const images = Array.from({ length: 9 }, (_, index) => ({
      ...{ index, label: index % 5 },
      pixels: Float32Array.from({ length: 24 }, (__, i) => (((index * 24 + i) * 7) % 11) / 11),
    }));
    const net = { model, params: ibpInit(model, 3), images };
    const live = device.live;
    const all = await run(net, { epsilon: 0.03, attacks: [attack] });
    for (const batchSize of [1, 4]) {
      traces.length = 0;
      const results = await run(
        { ...net, images: batchSize === 1 ? images.slice(5) : images },
        {
          ...{ epsilon: 0.03, attacks: [attack], batchSize },
        },
      );
      expect(results.map(({ attack: result }) => result?.found)).toEqual(
        all.slice(-results.length).map(({ attack: result }) => result?.found),
      );
      results.forEach(({ index, attack: result }) => {
        if (result?.found === false) expect(result.margin).toBeCloseTo(all[index]!.attack!.margin!, 4);
      });
      expect(Math.max(...traces)).toBe(1);
    }
    expect(device.live).toBe(live);
    expect(new Set(all.map(({ attack: result }) => result?.found)).has(false)).toBe(true);
  });

  it('attacks without a data range, at the radius 0, and where gradients are not finite', async () => {
    const net = linear(3);
    const [free] = await run(net, { perturbation: linf({ epsilon: 2, range: null }), attacks: [attack] });
    expect(free!.attack).toMatchObject({ found: true });
    const still = await run(net, { epsilon: 0, attacks: [attack] });
    for (const { attack: result, margin } of still) expect(result).toEqual({ found: false, margin });
    // The logits overflow off the image: a point of the ball that is misclassified, by a logit that is not finite.
    const steep = mlp({ inputShape: [2], classes: 3, hidden: [2] });
    const params = ibpInit(steep, 1);
    const huge = {
      ...params,
      dense1: { ...params.dense1, kernel: { shape: [2, 2], data: new Float32Array(4).fill(3e38) } },
    };
    const images = [{ index: 0, label: 0, pixels: new Float32Array(2) }];
    const [overflowing] = await run(
      { model: steep, params: huge as HostParams, images },
      { epsilon: 0.9, attacks: [attack] },
    );
    expect(overflowing!.attack === null || typeof overflowing!.attack.found === 'boolean').toBe(true);
  });
});

/** The Euclidean distance at which the margin of a linear classifier becomes 0: pixels move along the slopes, up to the ends of the range. */
const euclideanRadius = ({ rows, bias, images }: Linear, [min, max]: readonly [number, number]): number =>
  Math.min(
    ...rows[0]!.slice(1).map((_, j) => {
      const slopes = rows.map((row) => row[0]! - row[j + 1]!);
      const moved = (t: number) =>
        slopes.map((slope, i) => Math.min(Math.max(images[0]!.pixels[i]! - t * slope, min), max));
      const margin = (point: readonly number[]) => point.reduce((sum, x, i) => sum + slopes[i]! * x, bias);
      let [low, high] = [0, 1e3];
      for (let k = 0; k < 60; k++) {
        const middle = (low + high) / 2;
        if (margin(moved(middle)) > 0) low = middle;
        else high = middle;
      }
      if (margin(moved(high)) > 1e-9) return Number.POSITIVE_INFINITY;
      return Math.hypot(...moved(high).map((x, i) => x - images[0]!.pixels[i]!));
    }),
  );

describe.each(ATTACKS.map((attack) => [attack.name, attack] as const))('%s in a Euclidean set', (name, attack) => {
  // The steps of PGD are too short to turn all the way to the gradient, and Square meets the gradient by chance.
  const enough = name === 'pgd' ? 1.1 : name === 'square' ? 1.2 : 1.01;

  it.each(['pgd', 'apgd-ce'].includes(name) ? [2, 3] : [2, 3, 12])(
    'breaks a linear classifier of %i classes where, and only where, it can be broken',
    async (classes) => {
      for (const image of IMAGES) {
        for (const [range, ends] of [
          [null, [-1e9, 1e9]],
          [{ min: 0, max: 1 }, [0, 1]],
        ] as const) {
          const net = linear(classes, image);
          const radius = euclideanRadius(net, ends);
          expect(radius).toBeLessThan(1);
          const within = async (epsilon: number) =>
            (await run(net, { perturbation: l2({ epsilon, range }), attacks: [attack] }))[0]!.attack;
          expect(await within(enough * radius)).toMatchObject({ found: true, by: name });
          expect(await within(0.99 * radius)).toMatchObject({ found: false });
          // A ball is smaller than the box around it.
          if (range !== null) expect(exactMargin(net, 0.99 * radius)).toBeLessThan(0);
        }
      }
    },
  );

  const model = mlp({ inputShape: [4, 3, 2], classes: 5, hidden: [12] });
  const images = Array.from({ length: 9 }, (_, index) => ({
    ...{ index, label: index % 5 },
    pixels: Float32Array.from({ length: 24 }, (__, i) => (((index * 24 + i) * 7) % 11) / 10),
  }));
  const net = { model, params: ibpInit(model, 3), images };

  it('gives the same whatever the batch, compiles each function once and leaves no array behind', async () => {
    const live = device.live;
    const options = { perturbation: l2({ epsilon: 0.1 }), attacks: [attack] };
    const all = await run(net, options);
    traces.length = 0;
    const four = await run(net, { ...options, batchSize: 4 });
    const some = await run({ ...net, images: images.slice(5) }, { ...options, batchSize: 1 });
    expect(Math.max(...traces)).toBe(1);
    for (const { index, attack: result } of [...four, ...some]) {
      const same = all[index]!.attack;
      expect(result?.found).toBe(same?.found);
      if (result?.found === false) expect(result.margin).toBeCloseTo(same!.margin!, 4);
    }
    expect(await run(net, options)).toEqual(all);
    expect(device.live).toBe(live);
    expect(new Set(all.map(({ attack: result }) => result?.found)).has(false)).toBe(true);
  });

  it('visits points of the set alone, or says that they are outside', async () => {
    const range = { min: Array.from({ length: 24 }, (_, i) => (i % 5 === 0 ? Number.NEGATIVE_INFINITY : 0)), max: 1 };
    for (const perturbation of [
      l2({ epsilon: 0.8 }),
      l2({ epsilon: 0.8, range }),
      l2({ epsilon: 0.8, range: null }),
      l2({ epsilon: 0 }),
    ]) {
      const weights = { params: putParams(device, net.params), stats: {} };
      const attacker = attack.on({ device, model, weights, perturbation, places: 9 });
      for (const image of images) attacker.begin(image.index, image, 0);
      let [inside, moved] = [0, 0];
      for (let step = 0; step < 40; step++) {
        const margins = await attacker.step();
        const points = await attacker.visited().data();
        // PGD gives the point that it begins with as it was drawn, and evaluates its projection.
        if (name === 'pgd' && step === 0) continue;
        images.forEach(({ index, pixels }) => {
          if (margins[index] === Number.POSITIVE_INFINITY) return;
          inside++;
          const point = points.subarray(index * 24, (index + 1) * 24);
          const distance = Math.hypot(...point.map((x, i) => x - pixels[i]!));
          if (distance > 0.01) moved++;
          expect(distance).toBeLessThanOrEqual(perturbation.epsilon * (1 + 2e-5) + 2e-7);
          if (perturbation.range === null) return;
          point.forEach((x, i) => {
            if (perturbation.range?.min === 0 || i % 5 !== 0) expect(x).toBeGreaterThanOrEqual(0);
            expect(x).toBeLessThanOrEqual(1);
          });
        });
      }
      if (perturbation.epsilon > 0) expect(Math.min(inside, moved)).toBeGreaterThan(0);
      await attacker.dispose();
      disposeTree(weights);
    }
  });

  it('breaks nothing at the radius 0', async () => {
    const still = await run(linear(3), { perturbation: l2({ epsilon: 0 }), attacks: [attack] });
    for (const { attack: result, margin } of still) expect(result).toEqual({ found: false, margin });
  });
});

describe.each([linf({ epsilon: 0.1 }), l2({ epsilon: 0.1 })])('in sets of the kind $kind', (perturbation) => {
  const inSet = (x: number, y: number) => perturbation.kind === 'linf' || Math.hypot(x, y) <= perturbation.epsilon;

  it.each([apgdT(), square()].map((attack) => [attack.name, attack] as const))(
    '%s comes to the smallest margin of a small network',
    async (_, attack) => {
      const model = sequential([2, 1, 1], [flatten(), dense(8), relu(), dense(4)]);
      const images = [
        [0.3, 0.6],
        [0.8, 0.2],
        [0.5, 0.5],
      ].map((pixels, index) => ({ index, label: index, pixels: Float32Array.from(pixels) }));
      const params = ibpInit(model, 11);
      const labelled = await run({ model, params, images }, { epsilon: 0 });
      const net = { model, params, images: images.map((image, i) => ({ ...image, label: labelled[i]!.prediction! })) };
      const results = await run(net, { perturbation, attacks: [attack] });
      const side = 41;
      for (const { index, attack: result } of results) {
        const { pixels, label } = net.images[index]!;
        const grid = Array.from({ length: side * side }, (__, k) => [k % side, Math.floor(k / side)] as const)
          .map(([i, j]) => [0.1 * ((2 * i) / (side - 1) - 1), 0.1 * ((2 * j) / (side - 1) - 1)] as const)
          .filter(([x, y]) => inSet(x, y))
          .map(([x, y], k) => ({ index: k, label, pixels: Float32Array.of(pixels[0]! + x, pixels[1]! + y) }));
        const margins = (await run({ ...net, images: grid }, { epsilon: 0, batchSize: side })).map(
          ({ margin }) => margin!,
        );
        const smallest = Math.min(...margins);
        // Square knows the corners of an l-infinity ball alone, and so its stripes and squares. On a circle its steps are long.
        const slack = attack.name === 'square' && perturbation.kind === 'l2' ? 0.02 : 1e-3;
        if (smallest <= 0) expect(result).toMatchObject({ found: true });
        else expect(result!.margin!).toBeLessThanOrEqual(smallest + slack);
      }
    },
  );
});

describe('attacks in sequence', () => {
  const model = mlp({ inputShape: [6], classes: 4, hidden: [10] });
  const images = Array.from({ length: 30 }, (_, index) => ({
    ...{ index, label: index % 4 },
    pixels: Float32Array.from({ length: 6 }, (__, i) => (((index * 6 + i) * 7) % 13) / 13),
  }));
  const net = { model, params: ibpInit(model, 5), images };
  const found = (results: readonly ImageResult[]) =>
    results.filter(({ attack }) => attack?.found).map(({ index }) => index);

  it('break what any of them breaks, and say which one did', async () => {
    const weak: Attack = pgd({ steps: 1, restarts: 1 });
    const strong = apgdT({ steps: 20 });
    const alone = await run(net, { epsilon: 0.1, attacks: [strong] });
    const first = await run(net, { epsilon: 0.1, attacks: [weak] });
    const both = await run(net, { epsilon: 0.1, attack: { steps: 1, restarts: 1 }, attacks: [strong] });
    expect(found(both)).toEqual([...new Set([...found(first), ...found(alone)])].sort((a, b) => a - b));
    expect(found(alone).length).toBeGreaterThan(0);
    both.forEach(({ index, attack }) => {
      if (attack?.found) expect(attack.by).toBe(found(first).includes(index) ? 'pgd' : 'apgd-t');
      else if (attack !== null) {
        const margins = [first, alone].map((results) => results[index]!.attack!.margin!);
        expect(attack.margin).toBeCloseTo(Math.min(...margins), 4);
      }
    });
  });

  it('autoAttack has the standard settings', () => {
    const ten = mlp({ inputShape: [6], classes: 10, hidden: [4] });
    expect(autoAttack().map(({ name, points, runs }) => [name, points, runs(ten), runs(model)])).toEqual([
      ['apgd-ce', 101, 1, 1],
      ['apgd-t', 101, 9, 3],
      ['fab-t', 100, 9, 3],
      ['square', 5001, 1, 1],
    ]);
  });
});

import { naturalPass, standardRules } from '@cert/bounds';
import {
  add,
  createRng,
  dense,
  graph,
  type HostParams,
  INPUT,
  type Model,
  paramSpecs,
  relu,
  sequential,
  tf,
  toTensors,
} from '@cert/core';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { regionsOf } from '../region.js';
import { createRefinement } from './refine.js';
import { createRootBounds } from './root-bounds.js';

let device: Device;
beforeAll(async () => {
  device = await cpuDevice({ threads: 1 });
});
afterAll(() => device.dispose());

const CHAIN = sequential([2], [dense(8), relu(), dense(8), relu(), dense(6), relu(), dense(2)]);

/** Two layers that read the same one: the search for one of them must do without the other. */
const fork = (): Model => {
  const builder = graph([2]);
  const first = builder.add(relu(), [builder.add(dense(8), [INPUT])]);
  const sides = [1, 2].map(() => builder.add(relu(), [builder.add(dense(8), [first])]));
  builder.add(add(), sides);
  builder.add(dense(2));
  return builder.build();
};

function drawn(model: Model, seed: number): HostParams {
  const rng = createRng(seed, 'weights');
  const params: { [node: string]: { [name: string]: HostParams[string][string] } } = {};
  for (const { node, name, shape } of paramSpecs(model)) {
    const size = shape.reduce((a, b) => a * b, 1);
    const scale = name === 'kernel' ? Math.sqrt(2 / shape[0]!) : 0.3;
    params[node] = {
      ...params[node],
      [name]: { shape, data: Float32Array.from({ length: size }, () => scale * rng.normal()) },
    };
  }
  return params;
}

/** The box [0, 1]^2, about any property. */
const [region] = regionsOf({
  ...{ inputs: 2, outputs: 2 },
  cases: [
    {
      lower: new Float64Array(2),
      upper: Float64Array.of(1, 1),
      outputs: [{ coefficients: Float64Array.of(1, -1), bound: 0 }],
    },
  ],
});

/** Bounds of hidden neurons by CROWN, and refined ones. */
async function bounds(model: Model, params: HostParams, visits: number, deadline = Number.POSITIVE_INFINITY) {
  const weights = { params: putParams(device, params), stats: {} };
  const setting = { device, model, weights, rules: standardRules };
  const box = { lower: device.put(region!.lower, [1, 2]), upper: device.put(region!.upper, [1, 2]) };
  const roots = createRootBounds({
    device,
    model,
    forward: standardRules.ibp,
    backward: standardRules.linearRelaxation,
  });
  const refinement = createRefinement(setting, { model, params, stats: {} }, roots);
  const root = await roots.bound(weights, box);
  const before = structuredClone(root.host);
  const told: string[] = [];
  const tell = (what: string) => () => void told.push(what);
  const control = { deadline, mostOpen: 10_000, onProved: tell('proved'), onProgress: tell('progress') };
  const refined = await refinement.refine({
    ...{ region: region!, box, root, visits, iterations: 0 },
    control,
  });
  disposeTree([weights, box, refined.device]);
  await roots.dispose();
  await refinement.dispose();
  expect(told).toEqual([]);
  return { before, after: refined.host };
}

/** The smallest and largest values of neurons on a grid of the box. */
function extremes(model: Model, params: HostParams) {
  const steps = 200;
  return tf.tidy(() => {
    const points = tf.tensor(
      Float32Array.from(
        { length: 2 * (steps + 1) ** 2 },
        (_, k) => (k % 2 === 0 ? (k >> 1) % (steps + 1) : Math.floor((k >> 1) / (steps + 1))) / steps,
      ),
      [(steps + 1) ** 2, 2],
    );
    const { at } = naturalPass({ model, params: toTensors(params), norm: {} }, points);
    return Object.fromEntries(
      ['dense2', 'dense3'].map((name) => [
        name,
        { lower: tf.min(at[name]!, 0).dataSync(), upper: tf.max(at[name]!, 0).dataSync() },
      ]),
    );
  });
}

describe.each([
  ['layers one after the other', CHAIN],
  ['a fork', fork()],
])('a refinement of %s', (_, model) => {
  it.each([0, 1, 2, 3])(
    'of a few visits lies between the bounds before and the values there are: net %i',
    async (seed) => {
      const params = drawn(model, seed);
      const { before, after } = await bounds(model, params, 3);
      const real = extremes(model, params);
      let gained = 0;
      for (const name of ['dense2', 'dense3']) {
        const [old, now, least] = [before[name]!, after[name]!, real[name]!];
        now.lower.forEach((lower, i) => {
          expect(lower).toBeGreaterThanOrEqual(old.lower[i]!);
          expect(now.upper[i]).toBeLessThanOrEqual(old.upper[i]!);
          expect(Math.min(0, lower)).toBeLessThanOrEqual(Math.min(0, least.lower[i]!) + 1e-5);
          expect(Math.max(0, now.upper[i]!)).toBeGreaterThanOrEqual(Math.max(0, least.upper[i]!) - 1e-5);
          gained += lower - old.lower[i]! + old.upper[i]! - now.upper[i]!;
        });
      }
      expect(gained).toBeGreaterThan(0.01);
    },
  );
});

describe('a refinement', () => {
  it('of many visits comes near to what there is', async () => {
    const params = drawn(CHAIN, 5);
    const { before, after } = await bounds(CHAIN, params, 60);
    const real = extremes(CHAIN, params);
    let refined = 0;
    for (const name of ['dense2', 'dense3']) {
      const [{ lower, upper }, least] = [after[name]!, real[name]!];
      for (const [i, u] of upper.entries()) {
        // What is far from 0 on one side alone is left as it is.
        if (!(u > 0 && lower[i]! < 0 && u < -lower[i]!)) continue;
        expect(u).toBeLessThan(Math.max(0, least.upper[i]!) + 0.1);
        if (before[name]!.upper[i]! > Math.max(0, least.upper[i]!) + 0.1) refined++;
      }
    }
    expect(refined).toBeGreaterThan(0);
  });

  it('without time changes nothing', async () => {
    const { before, after } = await bounds(CHAIN, drawn(CHAIN, 0), 3, 0);
    expect(after).toEqual(before);
  });

  it('of bounds that are not finite changes nothing', async () => {
    const params = drawn(CHAIN, 0);
    params.dense1!.kernel!.data.fill(1e38);
    const { before, after } = await bounds(CHAIN, params, 3);
    expect(after).toEqual(before);
  });
});

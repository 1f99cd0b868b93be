import { naturalPass } from '@cert/bounds';
import {
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  type HostBatch,
  type HostParams,
  type Params,
  relu,
  sequential,
  type Tensor,
  toHost,
} from '@cert/core';
import { xavierInit } from '@cert/init';
import { type Device, type DeviceFunction, disposeTree, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPopulationStats } from './population-stats.js';

const layers = [conv2d(2, { kernel: 2, padding: 0 }), batchNorm(), relu(), flatten(), dense(3), batchNorm(), relu()];
const model = sequential([3, 3, 1], [...layers, dense(2)]);
const rng = createRng(3, 'population');
/** Kernels, biases and BatchNorms of random values. */
const params: HostParams = Object.fromEntries(
  Object.entries(xavierInit(model, 1)).map(([node, tensors]) => [
    node,
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((x) => x + 0.3 * rng.uniform()) },
      ]),
    ),
  ]),
);
/** Far from 0: E[x^2] - E[x]^2 of float32 would lose the variance. */
const images = Array.from({ length: 11 }, () => Float32Array.from({ length: 9 }, () => 100 + rng.uniform()));

function* batches(size: number): Iterable<HostBatch> {
  for (let from = 0; from < images.length; from += size) {
    const some = images.slice(from, from + size);
    yield { images: Float32Array.from(some.flatMap((image) => [...image])), labels: new Int32Array(some.length) };
  }
}

/** E[x] and E[x^2] of each of `channels` over rows of one after the other. */
function moments(rows: readonly (readonly number[])[], channels: number) {
  const values = rows.flat();
  const mean = (f: (x: number) => number) =>
    Array.from({ length: channels }, (_, c) => {
      const own = values.filter((_, i) => i % channels === c);
      return own.reduce((sum, x) => sum + f(x), 0) / own.length;
    });
  return { mean: mean((x) => x), square: mean((x) => x * x) };
}

/** The values of a tensor that the test made. */
const at = (node: string, name: string) => [...params[node]![name]!.data];

/** ReLU of the BatchNorm of rows with their own statistics. */
function normalize(rows: readonly (readonly number[])[], node: string) {
  const [gamma, beta] = [at(node, 'gamma'), at(node, 'beta')];
  const { mean, square } = moments(rows, gamma.length);
  return rows.map((row) =>
    row.map((x, i) => {
      const c = i % gamma.length;
      const scale = gamma[c]! / Math.sqrt(square[c]! - mean[c]! ** 2 + 1e-5);
      return Math.max(0, (x - mean[c]!) * scale + beta[c]!);
    }),
  );
}

const multiply = (row: readonly number[], kernel: readonly number[], bias: readonly number[]) =>
  bias.map((b, unit) => b + row.reduce((sum, x, i) => sum + x * kernel[i * bias.length + unit]!, 0));

/** In float64, layer by layer with the statistics of each batch, and averages of E[x] and E[x^2] over the batches by their sizes. */
function oracle(size: number): { readonly [node: string]: { readonly mean: number[]; readonly variance: number[] } } {
  const found: { [node: string]: { weight: number; mean: number[]; square: number[] }[] } = {};
  const record = (node: string, rows: readonly (readonly number[])[], channels: number) => {
    found[node] = [...(found[node] ?? []), { weight: rows.length / images.length, ...moments(rows, channels) }];
  };
  for (let from = 0; from < images.length; from += size) {
    const convolved = images.slice(from, from + size).map((image) =>
      [0, 1, 3, 4].flatMap((corner) =>
        multiply(
          [0, 1, 3, 4].map((offset) => image[corner + offset]!),
          at('conv2d1', 'kernel'),
          at('conv2d1', 'bias'),
        ),
      ),
    );
    record('batchNorm1', convolved, 2);
    const hidden = normalize(convolved, 'batchNorm1').map((row) =>
      multiply(row, at('dense1', 'kernel'), at('dense1', 'bias')),
    );
    record('batchNorm2', hidden, 3);
  }
  return Object.fromEntries(
    Object.entries(found).map(([node, parts]) => {
      const average = (kind: 'mean' | 'square') =>
        parts[0]![kind].map((_, c) => parts.reduce((sum, part) => sum + part.weight * part[kind][c]!, 0));
      const [mean, square] = [average('mean'), average('square')];
      return [node, { mean, variance: square.map((x, c) => x - mean[c]! ** 2) }];
    }),
  );
}

let device: Device;
let functions: DeviceFunction<never, unknown>[] = [];
beforeAll(async () => {
  const opened = await openDevice('cpu');
  // The same device, which shows what is compiled on it.
  device = Object.create(opened, {
    jit: {
      value: (f: () => unknown) => {
        functions.push(opened.jit(f) as DeviceFunction<never, unknown>);
        return functions.at(-1);
      },
    },
  });
});
afterEach(() => {
  functions = [];
});
afterAll(() => device.dispose());

/** Population statistics of the weights above. */
async function measure(size: number, weights = params, of: Iterable<HostBatch> = batches(size)) {
  const population = createPopulationStats({ device, model });
  const put = putParams(device, weights);
  try {
    return await population.measure(put, of);
  } finally {
    disposeTree(put);
    await population.dispose();
  }
}

function expectClose(got: HostParams, wanted: ReturnType<typeof oracle>) {
  expect(Object.keys(got)).toEqual(Object.keys(wanted));
  for (const [node, { mean, variance }] of Object.entries(wanted)) {
    mean.forEach((x, i) => {
      expect(Math.abs(got[node]!.mean!.data[i]! / x - 1), `${node}.mean`).toBeLessThan(1e-4);
    });
    variance.forEach((x, i) => {
      expect(Math.abs(got[node]!.variance!.data[i]! / x - 1), `${node}.variance`).toBeLessThan(1e-3);
    });
  }
}

describe('createPopulationStats', () => {
  it.each([4, 5, 11])('averages over batches of %i images, the last one smaller, what float64 does', async (size) => {
    expectClose(await measure(size), oracle(size));
  });

  it('of one batch gives the statistics of the batch, and of smaller ones others, where a layer depends on them', async () => {
    const all = [...batches(11)][0]!.images;
    const own = device.jit(
      (weights: Params, x: Tensor) => naturalPass({ model, params: weights, norm: 'batch' }, x).norm,
    );
    const put = { weights: putParams(device, params), x: device.put(all, [11, 3, 3, 1]) };
    const norm = await own(put.weights, put.x);
    const whole = await measure(11);
    expect(whole).toEqual(await toHost(norm));
    disposeTree([put, norm]);
    await own.dispose();
    const halves = await measure(6);
    expect(halves.batchNorm1!.variance!.data[0]).toBeCloseTo(whole.batchNorm1!.variance!.data[0]!, 4);
    expect(halves.batchNorm2!.mean!.data[0]).not.toBeCloseTo(whole.batchNorm2!.mean!.data[0]!, 4);
  });

  it('compiles once for full batches and once for the last, for any number of networks, and frees what it used', async () => {
    const before = device.live;
    const population = createPopulationStats({ device, model });
    const put = putParams(device, params);
    const first = await population.measure(put, batches(4));
    const live = device.live;
    expect(await population.measure(put, batches(4))).toEqual(first);
    expect(device.live).toBe(live);
    expect(functions.map(({ traces }) => traces)).toEqual([2]);
    expect((await toHost(put)).dense1).toEqual(params.dense1);
    disposeTree(put);
    await population.dispose();
    expect(device.live).toBe(before);
  });

  it('takes batches that come later', async () => {
    async function* late() {
      for (const batch of batches(4)) yield batch;
    }
    const population = createPopulationStats({ device, model });
    const put = putParams(device, params);
    expect(await population.measure(put, late())).toEqual(await measure(4));
    disposeTree(put);
    await population.dispose();
  });

  it('stops after a batch when the signal is aborted, and frees what it used', async () => {
    const population = createPopulationStats({ device, model });
    const put = putParams(device, params);
    const before = device.live;
    const abort = new AbortController();
    let taken = 0;
    function* stopping() {
      for (const batch of batches(2)) {
        if (++taken === 2) abort.abort(new Error('enough'));
        yield batch;
      }
    }
    await expect(population.measure(put, stopping(), abort.signal)).rejects.toThrow('enough');
    expect([taken, device.live]).toEqual([2, before]);
    disposeTree(put);
    await population.dispose();
  });

  it('has nothing to measure in a model without BatchNorm', async () => {
    const plain = sequential([2], [dense(2)]);
    const population = createPopulationStats({ device, model: plain });
    expect(await population.measure({}, [])).toEqual({});
    await population.dispose();
  });

  it('says that there are no images, and which statistics are not finite', async () => {
    await expect(measure(4, params, [])).rejects.toMatchObject({
      code: 'bad-data',
      problem: 'There are no images to compute population statistics from.',
    });
    const { kernel, bias } = params.dense1!;
    const broken = {
      ...params,
      dense1: { kernel: kernel!, bias: { ...bias!, data: bias!.data.map(() => Number.NaN) } },
    };
    await expect(measure(4, broken)).rejects.toMatchObject({
      code: 'not-finite',
      problem: 'The population mean of the BatchNorm "batchNorm2" is not finite.',
    });
    await expect(
      measure(4, params, [{ images: new Float32Array(8), labels: new Int32Array(1) }]),
    ).rejects.toMatchObject({ code: 'shape-mismatch' });
  });
});

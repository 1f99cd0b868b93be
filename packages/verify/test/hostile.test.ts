/** Boxes, data and weights that are not what a verifier expects: none of them is ever verified. */
import { crown, crownIbp, ibp } from '@cert/bounds';
import {
  batchNorm,
  createRng,
  dense,
  type HostBatch,
  type HostTensor,
  type HostTree,
  linf,
  linfBall,
  relu,
  type Shape,
  sequential,
  sizeOf,
  tf,
} from '@cert/core';
import { type Device, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boundVerifier, certify, createEvaluator, crownVerifier, type ImageResult } from '../src/index.js';

/** True worst margin at x = 2, epsilon 0.1: -10 * 2.1 + 20.5 = -0.5. Over the inverted box that clipping to [0, 1] makes: +10.5. */
const linear = sequential([1], [dense(2)]);
const linearParams = {
  dense1: {
    kernel: { shape: [1, 2], data: Float32Array.of(-10, 0) },
    bias: { shape: [2], data: Float32Array.of(20.5, 0) },
  },
};

/** Behind the ReLU of a neuron whose mean is infinite nothing is left of the input. */
const normalized = sequential([1], [dense(1), batchNorm(), relu(), dense(2)]);
const normalizedParams = {
  dense1: { kernel: { shape: [1, 1], data: Float32Array.of(1) }, bias: { shape: [1], data: new Float32Array(1) } },
  batchNorm1: { gamma: { shape: [1], data: Float32Array.of(1) }, beta: { shape: [1], data: new Float32Array(1) } },
  dense2: {
    kernel: { shape: [1, 2], data: Float32Array.of(1, -1) },
    bias: { shape: [2], data: Float32Array.of(1, 0) },
  },
};
const statistics = (mean: number, variance: number) => ({
  batchNorm1: {
    mean: { shape: [1], data: Float32Array.of(mean) },
    variance: { shape: [1], data: Float32Array.of(variance) },
  },
});

type Tensors = { [node: string]: { [tensor: string]: HostTensor } };

const methods = [...[ibp, crownIbp, crown()].map((method) => boundVerifier(method)), crownVerifier()];

// GPUs lose NaN and infinity in places: `npm run test:webgpu` sets the variable.
describe.each([process.env.CERT_TEST_DEVICE ?? ['cpu', 'tfjs']].flat())('on the device %s', (name) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(name);
  });
  afterAll(() => device.dispose());

  const margins = async (
    method: (typeof methods)[number],
    model: typeof linear,
    network: { readonly params: HostTree; readonly stats: HostTree },
    pixel: number,
    range?: null,
  ): Promise<readonly number[]> => {
    const perturbation = range === null ? linf({ epsilon: 0, range }) : undefined;
    const bounder = method.on({ device, model, perturbation });
    const placed = { params: putParams(device, network.params), stats: putParams(device, network.stats) };
    const batch = { images: device.put(Float32Array.of(pixel), [1, 1]), labels: device.put(new Int32Array(1), [1]) };
    const lower = await bounder.lowerMargins(placed, batch, { epsilon: device.put(Float32Array.of(0.1), []) });
    await bounder.dispose();
    return Array.from(lower);
  };

  it.each(methods)('$name proves nothing over an empty box', async (method) => {
    const [lower] = await margins(method, linear, { params: linearParams, stats: {} }, 2);
    expect(Number.isFinite(lower) && lower! > 0).toBe(false);
    const [unclipped] = await margins(method, linear, { params: linearParams, stats: {} }, 2, null);
    expect(unclipped).toBeCloseTo(-0.5, 5);
  });

  it.each(methods)('$name proves nothing with statistics that are not finite', async (method) => {
    for (const stats of [
      ...[statistics(Number.POSITIVE_INFINITY, 1), statistics(Number.NaN, 1)],
      ...[statistics(0, -1), statistics(0, Number.POSITIVE_INFINITY), statistics(0, Number.NaN)],
    ]) {
      const [lower] = await margins(method, normalized, { params: normalizedParams, stats }, 0.5);
      expect(lower).toBeNaN();
    }
    const [honest] = await margins(method, normalized, { params: normalizedParams, stats: statistics(0, 1) }, 0.5);
    expect(honest).toBeGreaterThan(0);
  });

  it('no method verifies with any weight or statistic that is not finite, wherever it stands', async () => {
    const model = sequential([2], [dense(2), batchNorm(), relu(), dense(2), relu(), dense(2)]);
    const rng = createRng(5);
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const places = model.nodes.flatMap(({ name: node, params, stats }) =>
      Object.entries<Shape>({ ...params, ...stats }).map(([tensor, shape]) => ({ node, tensor, shape })),
    );
    const bounders = methods.map((method) => method.on({ device, model }));
    let verified = 0;
    for (const [k, place] of [undefined, ...places, ...places, ...places].entries()) {
      const network = { params: {} as Tensors, stats: {} as Tensors };
      for (const { node, tensor, shape } of places) {
        const data = Float32Array.from({ length: sizeOf(shape) }, () => rng.uniform() + 0.1);
        if (place?.node === node && place.tensor === tensor) data[k % data.length] = odd[k % odd.length]!;
        const kind = tensor === 'mean' || tensor === 'variance' ? 'stats' : 'params';
        network[kind][node] = { ...network[kind][node], [tensor]: { shape, data } };
      }
      const placed = { params: putParams(device, network.params), stats: putParams(device, network.stats) };
      // The label that the bias of the last layer favours, or the other one.
      for (const label of [0, 1]) {
        const batch = {
          images: device.put(Float32Array.of(0.2, 0.7), [1, 2]),
          labels: device.put(Int32Array.of(label), [1]),
        };
        for (const bounder of bounders) {
          const [lower] = await bounder.lowerMargins(placed, batch, { epsilon: device.put(Float32Array.of(0.01), []) });
          const claims = Number.isFinite(lower) && lower! > 0;
          if (place === undefined) verified += Number(claims);
          else expect([place.node, place.tensor, claims]).toEqual([place.node, place.tensor, false]);
        }
      }
    }
    // Without anything odd each method verifies one of the two labels.
    expect(verified).toBe(methods.length);
    for (const bounder of bounders) await bounder.dispose();
  });

  const batches: readonly HostBatch[] = [{ images: Float32Array.of(2), labels: new Int32Array(1) }];

  it('an evaluation refuses data outside the range, and says what to do', async () => {
    const network = { params: putParams(device, linearParams), stats: {} };
    const evaluator = createEvaluator({ device, model: linear });
    await expect(evaluator.evaluate(network, { batches, epsilon: 0.1 })).rejects.toMatchObject({
      code: 'bad-data',
      problem: 'Input 0 has the value 2 at position 0, outside the range [0, 1].',
      cure: expect.stringContaining('range: null'),
    });
    const free = createEvaluator({ device, model: linear, perturbation: linf({ epsilon: 0, range: null }) });
    expect(await free.evaluate(network, { batches, epsilon: 0.1 })).toMatchObject({ verifiedError: 1 });
    expect(await free.evaluate(network, { batches, epsilon: 0.01 })).toMatchObject({ verifiedError: 0 });
  });

  it('certification refuses data outside the range, and numbers that are not finite', async () => {
    const network = { params: putParams(device, linearParams), stats: {} };
    const run = async (pixel: number, range?: null) => {
      const results: ImageResult[] = [];
      const images = [{ index: 7, label: 0, pixels: Float32Array.of(pixel) }];
      const common = {
        device,
        model: linear,
        weights: network,
        images,
        verifiers: methods,
        attack: null,
        batchSize: 1,
      };
      for await (const result of certify({
        ...common,
        perturbation: linf({ epsilon: 0.1, ...(range === null && { range }) }),
      })) {
        results.push(result);
      }
      return results;
    };
    await expect(run(2)).rejects.toMatchObject({ code: 'bad-data', problem: expect.stringMatching(/^Input 7 has/) });
    await expect(run(Number.NaN, null)).rejects.toMatchObject({ code: 'bad-data', cure: 'Give finite numbers.' });
    expect(await run(2, null)).toMatchObject([{ verifiedBy: null }]);
  });

  it('an epsilon per feature is refused where a number is meant', async () => {
    const evaluator = createEvaluator({ device, model: linear });
    const network = { params: putParams(device, linearParams), stats: {} };
    // As a program without types would call it.
    const options = { batches: [], epsilon: JSON.parse('[0.1]') };
    await expect(evaluator.evaluate(network, options)).rejects.toMatchObject({ code: 'bad-argument' });
  });
});

describe('a box whose lower end lies above the upper one', () => {
  const params = {
    dense1: { kernel: tf.tensor2d([[-10, 0]]), bias: tf.tensor1d([20.5, 0]) },
  };
  const spec = { matrix: tf.tensor3d([[[1, -1]]]) };
  it.each([ibp, crownIbp, crown()])('$name proves nothing', (method) => {
    const boxes = [
      { lower: tf.tensor2d([[1.9]]), upper: tf.tensor2d([[1]]) },
      {
        lower: tf.tensor2d([[1.9]]),
        upper: tf.tensor2d([[1]]),
        center: tf.tensor2d([[1.45]]),
        radius: tf.tensor2d([[-0.45]]),
      },
      linfBall(tf.tensor2d([[2]]), 0.1),
    ];
    for (const box of boxes) {
      const [lower] = method.bound({ network: { model: linear, params }, box, spec }).output.lower.dataSync();
      expect(Number.isFinite(lower)).toBe(false);
      expect(lower).not.toBe(Number.POSITIVE_INFINITY);
    }
  });
});

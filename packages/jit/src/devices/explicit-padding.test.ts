/** Padding that the packages refuse, with fake kernels: JavaScript kernels that refuse it like theirs. */
import { createRng, type Tensor, type Tensor4D, type TF, tf } from '@cert/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eagerDevice } from './eager.js';
import { acceptPadding } from './explicit-padding.js';

const BACKEND = 'refuses-padding';
const CONVOLUTIONS = ['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter'];

await tf.ready();
const JavaScript = tf.backend().constructor as new () => ReturnType<typeof tf.backend>;

/** What @tensorflow/tfjs-node 4.22.0 throws. */
const refuse = (kernel: string, pad: unknown) => {
  const known = pad === 'valid' || pad === 'same' || (kernel === 'Conv2D' && Array.isArray(pad)) || pad === 0;
  if (!known) throw new Error(`TF Backend supports only 'valid' and 'same' padding while padding was ${String(pad)}`);
};

beforeAll(() => {
  tf.registerBackend(BACKEND, () => new JavaScript(), 0);
  for (const config of tf.getKernelsForBackend('cpu')) {
    const { kernelName } = config;
    const kernelFunc: TF.KernelFunc = (call) => {
      if (CONVOLUTIONS.includes(kernelName)) refuse(kernelName, call.attrs?.pad);
      return config.kernelFunc(call);
    };
    tf.registerKernel({ ...config, backendName: BACKEND, kernelFunc });
  }
});
afterAll(() => {
  for (const { kernelName } of tf.getKernelsForBackend(BACKEND)) tf.unregisterKernel(kernelName, BACKEND);
  tf.removeBackend(BACKEND);
});

type Pad = Parameters<typeof tf.conv2d>[3];
const around: Pad = [[0, 0], [1, 2], [0, 3], [0, 0]]; // biome-ignore format: one line a shape

const rng = createRng(1, 'explicit-padding');
const normal = (size: number) => Float32Array.from({ length: size }, () => rng.normal());
const images = normal(2 * 7 * 6 * 3);
const filters = normal(3 * 3 * 3 * 4);

/** A convolution and both its gradients. */
const convolution = (strides: number | [number, number], pad: Pad) => (x: Tensor, w: Tensor) => {
  const sum = (image: Tensor, filter: Tensor) => {
    const y = tf.conv2d(image as Tensor4D, filter as Tensor4D, strides, pad);
    return tf.sum(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape))).asScalar();
  };
  return [tf.conv2d(x as Tensor4D, w as Tensor4D, strides, pad), ...tf.grads(sum)([x, w])];
};

async function run(backend: string, f: ReturnType<typeof convolution>, width = 3) {
  const device = eagerDevice({ backend });
  const filter = device.put(filters.subarray(0, 36 * width), [3, width, 3, 4]);
  const args = [device.put(images, [2, 7, 6, 3]), filter] as const;
  const before = tf.memory().numTensors;
  const out = await device.jit(f)(...args);
  const values = await Promise.all(out.map(async (y) => ({ shape: y.shape, values: await y.data() })));
  expect(tf.memory().numTensors).toBe(before + 3);
  await device.dispose();
  return values;
}

it('the kernels refuse padding by a number until then', async () => {
  await expect(run(BACKEND, convolution(1, 1))).rejects.toThrow('supports only');
});

describe('from then on', () => {
  beforeAll(() => {
    acceptPadding(BACKEND);
    acceptPadding(BACKEND);
  });

  it.each<[number | [number, number], Pad]>([
    [1, 1],
    [2, 1],
    [1, 2],
    [3, 2],
    [[2, 1], around],
    [1, 'same'],
    [2, 'valid'],
    [1, 0],
  ])('strides %j, padding %j: results and gradients of the JavaScript backend, no tensor left', async (s, pad) => {
    const f = convolution(s, pad);
    // TensorFlow.js itself counts the columns of padding by a number with the height of the window.
    for (const width of typeof pad === 'number' ? [3] : [3, 2]) {
      expect(await run(BACKEND, f, width)).toEqual(await run('cpu', f, width));
    }
  });
});

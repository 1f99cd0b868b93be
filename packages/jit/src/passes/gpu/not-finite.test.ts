/** NaN and infinity in one place of an operand reach every result that they reach in plain JavaScript, through the passes for a GPU. */
import { createRng, sizeOf, type Tensor, type Tensor2D, type Tensor4D, tf } from '@cert/core';
import { afterAll, describe, expect, it } from 'vitest';
import { openTestDevice } from '../../../test/test-device.js';
import { cpuDevice } from '../../devices/cpu.js';
import type { Device } from '../../devices/device.js';
import { eagerDevice } from '../../devices/eager.js';
import { readTree } from '../../index.js';
import { optimize } from '../index.js';

const name = process.env.CERT_TEST_DEVICE;
const device =
  name === undefined
    ? await cpuDevice({ threads: 1, passes: (graph) => optimize(graph, { gpu: true }) })
    : await openTestDevice(name);
const eager = eagerDevice();
afterAll(() => device.dispose());

const rng = createRng(9, 'not finite');

type Case = { readonly f: (xs: Tensor[]) => Tensor[]; readonly shapes: readonly (readonly number[])[] };

const CASES: { readonly [name: string]: Case } = {
  'a product with long sums': {
    f: ([a, b]) => [tf.matMul(a as Tensor2D, b as Tensor2D)],
    shapes: [[5, 1536], [1536, 7]], // biome-ignore format: a table
  },
  'sums over first axes': {
    f: ([x]) => [tf.sum(x!, [0, 1, 2]), tf.sum(x!, [0]), tf.sum(tf.square(x!), [0, 1, 2])],
    shapes: [[40, 6, 5, 8]],
  },
  'sums over everything': { f: ([x]) => [tf.sum(x!), tf.sum(tf.square(x!)), tf.mean(x!)], shapes: [[70, 1024]] },
  'a filter gradient': {
    f: ([x, w]) =>
      tf.grads((image: Tensor, kernel: Tensor) =>
        tf.sum(tf.square(tf.conv2d(image as Tensor4D, kernel as Tensor4D, 1, 1))).asScalar(),
      )([x!, w!]),
    shapes: [[34, 5, 5, 2], [3, 3, 2, 3]], // biome-ignore format: a table
  },
  'a joined update': {
    f(xs) {
      const [params, grads] = [xs.slice(0, 4), xs.slice(4)];
      const total = grads.map((x) => tf.sum(tf.square(x))).reduce((a, b) => tf.add(a, b));
      const floor = tf.add(tf.sqrt(total), 1);
      return params.map((p, i) => tf.sub(p, tf.mul(tf.div(grads[i]!, floor), 0.5)));
    },
    shapes: [[16], [32], [20], [18], [16], [32], [20], [18]],
  },
};

async function run(on: Device, { f, shapes }: Case, values: readonly Float32Array[]): Promise<Float32Array[]> {
  const step = on.jit(f);
  const args = values.map((value, i) => on.put(value, shapes[i]!));
  const results = await step(args);
  const host = (await readTree(results)) as unknown as Float32Array[];
  for (const array of [...args, ...results]) array.dispose();
  await step.dispose();
  return host;
}

describe.each(Object.entries(CASES))('%s', (_name, one) => {
  it.each([Number.NaN, Infinity, -Infinity])('%s is lost nowhere', async (poison) => {
    for (const [which, shape] of one.shapes.entries()) {
      const values = one.shapes.map((s) => Float32Array.from({ length: sizeOf(s) }, () => rng.normal()));
      values[which]![Math.floor(rng.uniform() * sizeOf(shape))] = poison;
      const [want, got] = [await run(eager, one, values), await run(device, one, values)];
      const finite = (results: readonly Float32Array[]) => results.map((xs) => Array.from(xs, Number.isFinite));
      expect(finite(want).flat()).toContain(false);
      expect(finite(got), `operand ${which}`).toEqual(finite(want));
    }
  });
});

it('an empty minibatch has a filter gradient of zeros', async () => {
  const one = { ...CASES['a filter gradient']!, shapes: [[0, 5, 5, 2], [3, 3, 2, 3]] }; // biome-ignore format: a table
  const [, gradient] = await run(device, one, [new Float32Array(0), new Float32Array(54).fill(1)]);
  expect(gradient).toEqual(new Float32Array(54));
});

/** alpha-CROWN optimizes the lines of every op whose lines are a family. */
import { crownBounds, crownMargins, naturalPass } from '@cert/bounds';
import {
  createRng,
  dense,
  type HostTensor,
  type Layer,
  leakyRelu,
  type Property,
  paramSpecs,
  relu,
  sequential,
  sigmoid,
  sizeOf,
  tanh,
  tf,
  toTensors,
} from '@cert/core';
import type { Device } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDecider } from './decide.js';
import type { HostNetwork } from './host-network.js';

let device: Device;
beforeAll(async () => {
  device = await cpuDevice({ threads: 1 });
});
afterAll(() => device.dispose());

function drawn(layers: readonly Layer[], seed: number): HostNetwork {
  const rng = createRng(seed, 'weights');
  const model = sequential([3], layers);
  const params: { [node: string]: { [name: string]: HostTensor } } = {};
  for (const { node, name, shape } of paramSpecs(model)) {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => (name === 'kernel' ? 1.2 : 0.3) * rng.normal());
    params[node] = { ...params[node], [name]: { shape, data } };
  }
  return { model, params, stats: {} };
}

/** Output 0 minus output 1 over [0, 1]^3: CROWN's bound, and the smallest value at random points and corners. */
function crownAndLeast({ model, params }: HostNetwork): { readonly crown: number; readonly least: number } {
  return tf.tidy(() => {
    const network = { model, params: toTensors(params) };
    const box = { lower: tf.zeros([1, 3]), upper: tf.ones([1, 3]) };
    const at = crownBounds({ network, box }, { intersect: true });
    const row = tf.tensor2d([[1, -1]]);
    const margins = crownMargins({ network, box, spec: { matrix: tf.expandDims(row) } }, at);
    const random = tf.randomUniform([4000, 3], 0, 1, 'float32', 1);
    const outputs = naturalPass(network, tf.concat([random, tf.round(random)])).output;
    const values = tf.sum(tf.mul(outputs, row), 1);
    return { crown: margins.dataSync()[0]!, least: tf.min(values).dataSync()[0]! };
  });
}

it.each<[string, () => readonly Layer[]]>([
  ['sigmoid', () => [dense(8), sigmoid(), dense(8), sigmoid(), dense(2)]],
  ['tanh', () => [dense(8), tanh(), dense(8), tanh(), dense(2)]],
  ['ReLU and tanh', () => [dense(8), relu(), dense(8), tanh(), dense(2)]],
  ['leaky ReLU', () => [dense(8), leakyRelu(0.1), dense(8), leakyRelu(0.1), dense(2)]],
])('alpha-CROWN is tighter than CROWN on networks of %s', async (_name, layers) => {
  const network = drawn(layers(), 3);
  const { crown, least } = crownAndLeast(network);
  // Nowhere violated, and where it is proved, it is by slopes that were optimized.
  const bound = least - 0.1 * (least - crown);
  const coefficients = Float64Array.of(1, -1);
  const [lower, upper] = [new Float64Array(3), new Float64Array(3).fill(1)];
  const property: Property = { inputs: 3, outputs: 2, cases: [{ lower, upper, outputs: [{ coefficients, bound }] }] };
  const relus = { splits: false, rootIterations: 0, caseIterations: 30 };
  const decider = createDecider({ device, network, attack: null, split: 'relus', relus });
  const decision = await decider.decide(property);
  await decider.dispose();
  if (decision.verdict === 'falsified') throw new Error('The sampled minimum is too large.');
  const alpha = decision.lower + bound;
  expect(alpha).toBeLessThanOrEqual(least);
  expect((alpha - crown) / (least - crown)).toBeGreaterThan(0.05);
});

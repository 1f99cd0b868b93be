/** Products with one matrix, and sums of products, against eager TensorFlow.js; and that they are merged. */
import { createRng, type Tensor, type Tensor2D, tf } from '@cert/core';
import { expect, it } from 'vitest';
import { cpuDevice } from '../devices/cpu.js';
import { eagerDevice } from '../devices/eager.js';
import type { Graph } from '../graph/ir.js';
import { schedule } from '../graph/rewrite.js';
import { readTree } from '../index.js';
import { optimize } from './index.js';

const [rows, width, units] = [3, 300, 256];

/** Two dense layers' passes over one kernel, as in a network and its bounds, with the kernel's gradient. */
const twice = (x: Tensor, z: Tensor, kernel: Tensor): Tensor[] => {
  const loss = (w: Tensor) => {
    const first = tf.matMul(x as Tensor2D, w as Tensor2D);
    const second = tf.matMul(z as Tensor2D, w as Tensor2D);
    const radius = tf.matMul(tf.abs(x) as Tensor2D, tf.abs(w) as Tensor2D);
    return tf.sum(tf.add(tf.mul(tf.sin(first), second), tf.sqrt(tf.add(radius, 1)))).asScalar();
  };
  return [loss(kernel), tf.grad(loss)(kernel)];
};

/** The second product needs the first: these must stay apart. */
const chained = (x: Tensor, _z: Tensor, kernel: Tensor): Tensor[] => {
  const first = tf.matMul(x as Tensor2D, kernel as Tensor2D);
  return [tf.matMul(tf.pad(tf.tanh(first), [[0, 0], [0, width - units]]) as Tensor2D, kernel as Tensor2D)]; // biome-ignore format: a table
};

const rng = createRng(5, 'products');
const inputs = [
  [rows, width],
  [rows + 1, width],
  [width, units],
].map((shape) => ({
  shape,
  values: Float32Array.from({ length: shape[0]! * shape[1]! }, () => rng.normal()),
}));

it.each([
  // first, second and radius; the gradients of kernel and |kernel|.
  { name: 'two passes', f: twice, same: rows, before: 6, after: 4 },
  { name: 'a chain', f: chained, same: rows + 1, before: 2, after: 2 },
])('$name: the same numbers from $after products instead of $before', async ({ f, same, before, after }) => {
  const given = inputs.map((input, i) =>
    i === 1 ? { ...input, shape: [same, width], values: input.values.slice(0, same * width) } : input,
  );
  const results: Float32Array[][] = [];
  const counts: number[] = [];
  const counted = (graph: Graph) => {
    const count = (g: Graph) => schedule(g).filter(({ op }) => op === 'matmul').length;
    const better = optimize(graph);
    counts.push(count(graph), count(better));
    return better;
  };
  for (const device of [eagerDevice(), await cpuDevice({ passes: counted })]) {
    const [x, z, kernel] = given.map(({ values, shape }) => device.put(values, shape));
    results.push((await readTree(await device.jit(f)(x!, z!, kernel!))) as unknown as Float32Array[]);
    await device.dispose();
  }
  expect(counts).toEqual([before, after]);
  results[0]!.forEach((values, i) => {
    const scale = Math.max(...values.map(Math.abs));
    const worst = values.reduce((m, value, j) => Math.max(m, Math.abs(value - results[1]![i]![j]!)), 0);
    expect(worst / scale).toBeLessThan(1e-5);
  });
});

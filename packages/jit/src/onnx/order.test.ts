import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Tensor, tf } from '@cert/core';
import { expect, it } from 'vitest';
import { cpuDevice } from '../devices/cpu.js';

interface Event {
  readonly name: string;
  readonly ts: number;
  readonly args?: { readonly op_name?: string };
}

/** The ops that ONNX Runtime runs for a function of a vector, in their order. */
async function opsRun(f: (x: Tensor) => readonly Tensor[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'cert-order-'));
  try {
    const device = await cpuDevice({ threads: 1, profile: join(folder, 'run') });
    await device.jit(f)(device.put(Float32Array.of(1, 2), [2]));
    await device.dispose();
    const events = readdirSync(folder).flatMap(
      (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Event[],
    );
    return events
      .filter(({ name }) => name.endsWith('_kernel_time') && !name.startsWith('empty'))
      .sort((a, b) => a.ts - b.ts)
      .map(({ args }) => args!.op_name!);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('ONNX Runtime computes operands from first to last', async () => {
  const sums = (x: Tensor) => [tf.sin(x), tf.cos(x), tf.tan(x)].map((y) => tf.sum(y)).reduce((a, b) => tf.add(a, b));
  expect(await opsRun((x) => [sums(x)])).toEqual([
    'Sin',
    'ReduceSum',
    'Cos',
    'ReduceSum',
    'Add',
    'Tan',
    'ReduceSum',
    'Add',
  ]);
});

it('ONNX Runtime computes results from first to last', async () => {
  expect(await opsRun((x) => [tf.sin(x), tf.cos(x), tf.tan(x)])).toEqual(['Sin', 'Cos', 'Tan']);
});

it('a chain that is summed up link by link is not kept', async () => {
  // As in a backward pass of linear relaxation: the last link comes first in the sum.
  const ops = await opsRun((x) => {
    const links = [tf.sin(x)];
    for (let i = 0; i < 3; i++) links.push(tf.cos(links.at(-1)!));
    return [links.map((link) => tf.sum(link)).reduce((a, b) => tf.add(a, b))];
  });
  const chain = ops.filter((op) => op !== 'Add');
  expect(chain).toEqual(['Sin', 'ReduceSum', 'Cos', 'ReduceSum', 'Cos', 'ReduceSum', 'Cos', 'ReduceSum']);
});

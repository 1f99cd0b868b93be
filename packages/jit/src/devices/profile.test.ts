import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Tensor, tf } from '@cert/core';
import onnxProto from 'onnx-proto';
import { afterAll, expect, it } from 'vitest';
import { cpuDevice } from './cpu.js';

const folder = mkdtempSync(join(tmpdir(), 'cert-jit-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The nodes of the models that a device loads for one function. */
async function nodesOf(f: (x: Tensor) => Tensor, profile?: string) {
  const models: Uint8Array[] = [];
  const device = await cpuDevice({
    threads: 1,
    onModel: (model) => models.push(model),
    ...(profile !== undefined && { profile }),
  });
  const step = device.jit(f);
  const x = device.put(Float32Array.of(1, 2), [2]);
  await step(x);
  await step(x);
  await device.dispose();
  expect(models).toHaveLength(1);
  const nodes = onnxProto.onnx.ModelProto.decode(models[0]!).graph!.node!;
  // The output that stops the binding is not of the function.
  const own = nodes.filter(({ opType }) => opType !== 'SequenceEmpty');
  return own.map(({ name, opType, docString }) => ({ name, op: opType, site: docString }));
}

const expOfSin = (x: Tensor) => tf.exp(tf.sin(x));

it('hands out each model once; with a profile, its nodes say where they come from and are those that ran', async () => {
  const prefix = join(folder, 'step');
  const nodes = await nodesOf(expOfSin, prefix);
  expect(nodes.map(({ op }) => op)).toEqual(['Sin', 'Exp']);
  for (const { site } of nodes.slice(0, 2)) expect(site).toMatch(/expOfSin .*profile\.test\.ts:\d+/);
  const [file] = readdirSync(folder).filter((name) => name.startsWith('step'));
  const events = JSON.parse(readFileSync(join(folder, file!), 'utf8')) as { readonly name: string }[];
  const runs = events.filter(({ name }) => name === `${nodes[0]!.name}_kernel_time`);
  expect(runs).toHaveLength(2);
});

it('does not look up call sites without a profile', async () => {
  const nodes = await nodesOf(expOfSin);
  expect(nodes.map(({ site }) => site)).toEqual(['', '']);
});

it('names the forward kernel of a gradient, and the line of a custom one', async () => {
  const square = tf.customGrad((x, save) => {
    (save as (tensors: Tensor[]) => void)([x as Tensor]);
    return {
      value: tf.square(x as Tensor),
      gradFunc: (dy: Tensor, [saved]: Tensor[]) => [tf.mul(dy, tf.abs(saved!))],
    };
  });
  const inner = (x: Tensor) => tf.sum(square(tf.sin(x)));
  const nodes = await nodesOf((x) => tf.grad(inner)(x), join(folder, 'gradient'));
  const siteOf = (op: string) => nodes.find((node) => node.op === op)?.site;
  expect(siteOf('Sin')).toMatch(/^inner .*profile\.test\.ts:\d+:\d+\)$/);
  // The gradient of a sine is a cosine.
  expect(siteOf('Cos')).toBe(`${siteOf('Sin')}, gradient`);
  expect(siteOf('Abs')).toMatch(/gradFunc .*profile\.test\.ts:\d+:\d+\)$/);
});

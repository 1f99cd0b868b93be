import { type Tensor, tf } from '@cert/core';
import onnxProto from 'onnx-proto';
import { expect, it } from 'vitest';
import { cpuDevice } from '../devices/cpu.js';

/** The ops of a model in the order of the file, and the result. */
async function opsOf(size: number): Promise<{ readonly ops: readonly string[]; readonly norm: number }> {
  const models: Uint8Array[] = [];
  const device = await cpuDevice({ threads: 1, onModel: (model) => models.push(model) });
  const norm = device.jit((small: Tensor, matrix: Tensor) =>
    tf.add(tf.sum(tf.square(tf.cos(matrix))), tf.sum(tf.square(tf.sin(small)))),
  );
  const zeros = device.put(new Float32Array(size * size), [size, size]);
  const out = await norm(device.put(Float32Array.of(0), [1, 1]), zeros);
  const [value] = await out.data();
  await device.dispose();
  const nodes = onnxProto.onnx.ModelProto.decode(models[0]!).graph!.node!;
  return { ops: nodes.map(({ opType }) => opType!), norm: value! };
}

it('sums of squares of large matrices come first in the file, so that they run last', async () => {
  const [small, large] = [await opsOf(8), await opsOf(512)];
  expect([small.norm, large.norm]).toEqual([64, 512 * 512]);
  expect(small.ops.filter((op) => /Sin|Cos/.test(op))).toEqual(['Sin', 'Cos']);
  expect(large.ops.filter((op) => /Sin|Cos/.test(op))).toEqual(['Cos', 'Sin']);
});

import { type Tensor, tf } from '@cert/core';
import * as ort from 'onnxruntime-node';
import { afterEach, expect, it, vi } from 'vitest';
import { cpuDevice } from '../devices/cpu.js';
import { disposeTree, readTree } from '../devices/device.js';
import { probeRefusal } from '../devices/probe-refusal.js';

const options = { executionProviders: ['cpu'] };
afterEach(() => vi.restoreAllMocks());

it('the tested version refuses the empty output when all results are written', async () => {
  expect(await probeRefusal(ort, options)).toContain('Non tensor type');
});

it.each<[string, (x: Tensor) => { readonly [name: string]: Tensor }]>([
  ['float32', (x) => ({ double: tf.mul(x, 2) })],
  ['int32', (x) => ({ whole: tf.cast(tf.mul(x, 2), 'int32') })],
  ['bool', (x) => ({ positive: tf.greater(x, 1) })],
  ['float32 and int32', (x) => ({ double: tf.mul(x, 2), whole: tf.cast(x, 'int32') })],
])('a run that fails with the words of the refusal gives no old numbers: %s', async (_, f) => {
  const refusal = await probeRefusal(ort, options);
  const device = await cpuDevice();
  const compiled = device.jit(f);
  const x = device.put(Float32Array.of(1, 2, 3), [3]);
  const first = await compiled(x);
  const wanted = await readTree(first);
  // The next result is given its memory.
  disposeTree(first);
  const { live } = device;
  const session = Object.getPrototypeOf(await ort.InferenceSession.create(await modelOf()));
  for (const message of [refusal!, `While it ran: ${refusal}`]) {
    vi.spyOn(session, 'run').mockRejectedValueOnce(new Error(message));
    await expect(compiled(x)).rejects.toThrow(message);
    expect(device.live).toBe(live);
  }
  expect(await readTree(await compiled(x))).toEqual(wanted);
  await device.dispose();
});

it.each([
  ['that writes nothing before it refuses', async () => Promise.reject(new Error('Non tensor type is not supported'))],
  ['that takes the output', async () => ({})],
])('a runtime %s is used without the empty output', async (_, run) => {
  const fake = { ...ort, InferenceSession: { create: async () => ({ run, release: async () => {} }) } };
  expect(await probeRefusal(fake as unknown as typeof ort, options)).toBeUndefined();
});

/** Any model. */
async function modelOf(): Promise<Uint8Array> {
  let model: Uint8Array | undefined;
  const device = await cpuDevice({
    onModel: (bytes) => {
      model = bytes;
    },
  });
  await device.jit((x: Tensor) => tf.neg(x))(device.put(Float32Array.of(1), [1]));
  await device.dispose();
  return model!;
}

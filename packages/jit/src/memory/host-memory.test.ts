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

it('a run that wrote only a part before it failed with the words of the refusal gives no old numbers', async () => {
  const refusal = await probeRefusal(ort, options);
  const device = await cpuDevice();
  const compiled = device.jit((x: Tensor) => ({ double: tf.mul(x, 2) }));
  const x = device.put(
    Float32Array.from({ length: 1000 }, (_, i) => i),
    [1000],
  );
  disposeTree(await compiled(x));
  const session = Object.getPrototypeOf(await ort.InferenceSession.create(await modelOf()));
  for (const [from, to] of [
    [500, 1000],
    [0, 999],
    [0, 400],
    [996, 1000],
  ]) {
    vi.spyOn(session, 'run').mockImplementationOnce(async (...args: unknown[]) => {
      const [, { out0 }] = args as [unknown, Record<string, ort.TypedTensor<'float32'>>];
      out0!.data.fill(7, from, to);
      throw new Error(refusal);
    });
    await expect(compiled(x)).rejects.toThrow(refusal);
  }
  await device.dispose();
});

it.each<[string, (x: Tensor) => { readonly [name: string]: Tensor }]>([
  ['float32', (x) => ({ double: tf.mul(x, 2) })],
  ['int32', (x) => ({ whole: tf.cast(tf.mul(x, 2), 'int32') })],
  ['bool', (x) => ({ positive: tf.greater(x, 1) })],
])(
  'a runtime that leaves the arrays as they are that it is given gives its results, no old numbers: %s',
  async (_, f) => {
    const device = await cpuDevice();
    const compiled = device.jit(f);
    const [x, y] = [device.put(Float32Array.of(1, 2, 3), [3]), device.put(Float32Array.of(4, -5, 6), [3])];
    const wanted = await readTree(await compiled(y));
    // The next result is given its memory.
    disposeTree(await compiled(x));
    const session = Object.getPrototypeOf(await ort.InferenceSession.create(await modelOf()));
    const { run } = session;
    vi.spyOn(session, 'run').mockImplementationOnce(function (this: ort.InferenceSession, ...args: unknown[]) {
      const [feeds, fetches] = args as [ort.InferenceSession.FeedsType, object];
      return run.call(
        this,
        feeds,
        Object.keys(fetches).filter((name) => name !== 'empty'),
      );
    });
    expect(await readTree(await compiled(y))).toEqual(wanted);
    vi.spyOn(session, 'run').mockResolvedValueOnce({});
    await expect(compiled(y)).rejects.toMatchObject({
      code: 'missing-device',
      problem: expect.stringContaining('"out0"'),
    });
    await device.dispose();
  },
);

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

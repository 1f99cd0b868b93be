import { naturalPass } from '@cert/bounds';
import { type BatchNormStats, createRng, tf, toTensors } from '@cert/core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import { type ImportedNetwork, readOnnx } from '../src/index.js';

/** The outputs of an imported network for an input in ONNX's order. */
async function outputsOf(network: ImportedNetwork, input: Float32Array): Promise<Float32Array> {
  const { model, inputOrder } = network;
  const own = new Float32Array(input.length);
  inputOrder.forEach((position, i) => {
    own[position] = input[i]!;
  });
  const tensors = toTensors({ params: network.params, stats: network.stats });
  const images = tf.tensor(own, [1, ...model.inputShape]);
  // Moments are named by their keys in the file.
  const norm = tensors.stats as unknown as BatchNormStats;
  const output = tf.tidy(() => naturalPass({ model, params: tensors.params, norm }, images).output);
  return Float32Array.from(await output.data());
}

/**
 * Reads a network and compares its outputs with those of ONNX Runtime, to 1e-5 relative to the largest output.
 *
 * @returns what was read
 */
export async function matchesRuntime(
  bytes: Uint8Array,
  seed: string,
  { tolerance = 1e-5, inputs = 3 }: { readonly tolerance?: number; readonly inputs?: number } = {},
): Promise<ImportedNetwork> {
  const network = readOnnx(bytes);
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3, graphOptimizationLevel: 'disabled' });
  const rng = createRng(0, 'onnx', seed);
  for (let i = 0; i < inputs; i++) {
    const input = Float32Array.from({ length: network.inputOrder.length }, () => rng.uniform() * 4 - 2);
    const feeds = { [session.inputNames[0]!]: new Tensor('float32', input, network.inputShape) };
    const wanted = (await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array;
    const got = await outputsOf(network, input);
    expect(got.length).toBe(wanted.length);
    const scale = Math.max(1, ...wanted.map(Math.abs));
    wanted.forEach((value, j) => {
      expect(Math.abs(value - got[j]!), `output ${j} of input ${i}: ${got[j]} for ${value}`).toBeLessThanOrEqual(
        tolerance * scale,
      );
    });
  }
  await session.release();
  return network;
}

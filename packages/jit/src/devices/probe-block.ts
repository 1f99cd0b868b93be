import type * as Ort from 'onnxruntime-node';
import { Builder } from '../graph/builder.js';
import { inputName, outputName, toOnnx } from '../onnx/onnx.js';

/**
 * How many channels ONNX Runtime's CPU kernels take in a block: 16 with AVX-512, 8 with AVX. It tells nobody, so sixteen channels of
 * two pixels are put in its order, and the second pixel comes after one block of the first.
 *
 * @returns undefined where it has no such kernels
 */
export async function probeBlock(ort: typeof Ort): Promise<number | undefined> {
  const build = new Builder();
  const [channels, pixels] = [16, 2];
  const image = build.input(0, [1, channels, 1, pixels], 'float32');
  const graph = { inputs: [image], outputs: [build.block(image, channels, 'channelsFirst')] };
  let session: Ort.InferenceSession | undefined;
  try {
    session = await ort.InferenceSession.create(toOnnx(graph), { executionProviders: ['cpu'], logSeverityLevel: 4 });
    const values = Float32Array.from({ length: channels * pixels }, (_, i) => i);
    const results = await session.run({ [inputName(0)]: new ort.Tensor('float32', values, image.shape) });
    const size = (results[outputName(0)]!.data as Float32Array).indexOf(1);
    return size > 1 ? size : undefined;
  } catch {
    return undefined;
  } finally {
    await session?.release();
  }
}

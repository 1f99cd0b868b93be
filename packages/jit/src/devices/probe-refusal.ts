import type * as Ort from 'onnxruntime-node';
import { Builder } from '../graph/builder.js';
import { EMPTY, inputName, outputName, toOnnx } from '../onnx/onnx.js';

/**
 * ONNX Runtime 1.30 writes results into the arrays that it is given, and then its Node binding copies all of them once more, into
 * new arrays that nobody wants: for large nets a third of the time of a step. It converts outputs in order and stops at one that it
 * cannot convert, which {@link EMPTY} is. Other versions may behave otherwise, so this one is tried.
 *
 * @returns the message of the error with which a run ends whose results are complete; undefined when the run ends in any other way
 */
export async function probeRefusal(
  ort: typeof Ort,
  options: Ort.InferenceSession.SessionOptions,
): Promise<string | undefined> {
  const build = new Builder();
  const shape = [2, 3];
  const x = build.input(0, shape, 'float32');
  const model = toOnnx({ inputs: [x], outputs: [build.binary('add', x, x)] }, undefined, { empty: true });
  const given = Float32Array.of(1, 2, 3, -4, 5, 0.5);
  const result = new Float32Array(given.length).fill(Number.NaN);
  let session: Ort.InferenceSession | undefined;
  try {
    session = await ort.InferenceSession.create(model, { ...options, logSeverityLevel: 4 });
    const fetches = { [EMPTY]: null, [outputName(0)]: new ort.Tensor('float32', result, shape) };
    await session.run({ [inputName(0)]: new ort.Tensor('float32', given, shape) }, fetches);
    return undefined;
  } catch (error) {
    const complete = given.every((value, i) => result[i] === 2 * value);
    return complete && error instanceof Error && error.message !== '' ? error.message : undefined;
  } finally {
    await session?.release();
  }
}

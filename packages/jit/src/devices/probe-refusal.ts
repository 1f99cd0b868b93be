import type * as Ort from 'onnxruntime-node';
import { Builder } from '../graph/builder.js';
import { EMPTY, inputName, outputName, toOnnx } from '../onnx/onnx.js';

const SHAPES: readonly (readonly [number, number])[] = [
  [2, 3],
  [1, 1],
  [128, 129],
];

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
  // Small results and large ones, as a version may treat them differently.
  const inputs = SHAPES.map((shape, i) => build.input(i, shape, 'float32'));
  const model = toOnnx({ inputs, outputs: inputs.map((x) => build.binary('add', x, x)) }, undefined, { empty: true });
  const given = SHAPES.map(([rows, columns]) => Float32Array.from({ length: rows * columns }, (_, i) => i - 4.5));
  const results = given.map(({ length }) => new Float32Array(length).fill(Number.NaN));
  const tensors = (prefix: (i: number) => string, arrays: readonly Float32Array[]) =>
    Object.fromEntries(arrays.map((array, i) => [prefix(i), new ort.Tensor('float32', array, SHAPES[i]!)]));
  let session: Ort.InferenceSession | undefined;
  try {
    session = await ort.InferenceSession.create(model, { ...options, logSeverityLevel: 4 });
    await session.run(tensors(inputName, given), { [EMPTY]: null, ...tensors(outputName, results) });
    return undefined;
  } catch (error) {
    const complete = given.every((values, k) => values.every((value, i) => results[k]![i] === 2 * value));
    return complete && error instanceof Error && error.message !== '' ? error.message : undefined;
  } finally {
    await session?.release();
  }
}

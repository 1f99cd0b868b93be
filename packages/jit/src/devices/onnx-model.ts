import { CertError, sizeOf } from '@cert/core';
import { loadRuntime } from './load-runtime.js';

/** An ONNX file in ONNX Runtime: a reference that is independent of the import. */
export interface OnnxModel {
  /**
   * Runs one input.
   *
   * @param input row-major, in the order of the file
   * @returns the first output, row-major
   */
  run(input: ArrayLike<number>): Promise<Float32Array>;
  /**
   * Runs one example of a network that has an input [1, 1] of float32 or text for each column of a table.
   *
   * @param values number or text by the name of the input
   * @returns the first output, row-major
   */
  runColumns(values: { readonly [input: string]: number | string }): Promise<Float32Array>;
  /** Frees the session. */
  dispose(): Promise<void>;
}

/**
 * Opens an ONNX file in ONNX Runtime on the CPU.
 *
 * @param bytes the file
 * @param shape of the input, including a batch axis
 * @throws CertError `missing-package` if onnxruntime-node is not installed; `bad-file` for a file that ONNX Runtime cannot load
 */
export async function openOnnxModel(bytes: Uint8Array, shape: readonly number[]): Promise<OnnxModel> {
  const ort = await loadRuntime('cpu');
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['cpu'], logSeverityLevel: 3 }).catch(
    (cause: unknown) => {
      throw new CertError(
        'bad-file',
        `ONNX Runtime cannot load the network: ${cause instanceof Error ? cause.message : cause}`,
        'Check the file with onnx.checker.check_model.',
        { cause },
      );
    },
  );
  const [name] = session.inputNames;
  const firstOf = async (feeds: Parameters<typeof session.run>[0]) => {
    const out = await session.run(feeds);
    return Float32Array.from(out[session.outputNames[0]!]!.data as Float32Array);
  };
  const double = session.inputMetadata.some((info) => info.isTensor && info.name === name && info.type === 'float64');
  return {
    async run(input) {
      if (input.length !== sizeOf(shape)) {
        throw new CertError(
          'shape-mismatch',
          `The network takes the shape [${shape}].`,
          `Give ${sizeOf(shape)} numbers.`,
        );
      }
      const data = double ? Float64Array.from(input) : Float32Array.from(input);
      const tensor = new ort.Tensor(double ? 'float64' : 'float32', data, [...shape]);
      return firstOf({ [name!]: tensor });
    },
    runColumns(values) {
      const tensors = Object.entries(values).map(([input, value]) => [
        input,
        typeof value === 'string'
          ? new ort.Tensor('string', [value], [1, 1])
          : new ort.Tensor('float32', [value], [1, 1]),
      ]);
      return firstOf(Object.fromEntries(tensors));
    },
    dispose: () => session.release(),
  };
}

import { CertError, type Shape, sizeOf } from '@cert/core';
import type { DeviceArray, DType, HostArray } from '../devices/device.js';
import { inputName, outputName } from '../onnx/onnx.js';
import { dtypeOf, usedAfterDispose } from './array-checks.js';
import type { Memory, Runtime } from './memory.js';

/** An array of JavaScript. */
class CopiedArray implements DeviceArray {
  disposed = false;

  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
    readonly values: HostArray,
    private readonly arrays: Set<CopiedArray>,
  ) {
    arrays.add(this);
  }

  async data(): Promise<HostArray> {
    if (this.disposed) throw usedAfterDispose(this.shape);
    return this.values.slice();
  }

  dispose(): void {
    this.disposed = true;
    this.arrays.delete(this);
  }
}

/** The values of a result, which nobody else holds. */
function valuesOf(data: unknown, shape: Shape, dtype: DType, name: string): HostArray {
  const known = data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array;
  if (known && dtypeOf(data) === dtype && data.length === sizeOf(shape)) return data;
  throw new CertError(
    'missing-device',
    `ONNX Runtime returned no result "${name}" of type ${dtype} and shape [${shape}].`,
    'Install the tested version of onnxruntime-web: 1.30.',
  );
}

/**
 * Arrays of JavaScript, which every run copies into the memory of WebAssembly and out of it. ONNX Runtime 1.30 for browsers keeps no
 * tensor there between runs, and never writes to arrays that are given for the results: it returns these as they were.
 */
export function copiedMemory(ort: Runtime): Memory<CopiedArray> {
  const arrays = new Set<CopiedArray>();
  return {
    arrays,
    owns: (array): array is CopiedArray => array instanceof CopiedArray && arrays.has(array),
    put: (values, shape, dtype) => new CopiedArray(shape, dtype, values.slice(), arrays),
    async run(session, inputs, outputs) {
      const feeds = Object.fromEntries(
        inputs.map(({ dtype, values, shape }, i) => [
          inputName(i),
          new ort.Tensor(dtype as 'float32', values as Float32Array, shape),
        ]),
      );
      const results = await session.run(feeds);
      const values = outputs.map(({ shape, dtype }, i) =>
        valuesOf(results[outputName(i)]?.data, shape, dtype, outputName(i)),
      );
      return outputs.map(({ shape, dtype }, i) => new CopiedArray(shape, dtype, values[i]!, arrays));
    },
    release: (session) => session.release(),
    async dispose() {},
  };
}

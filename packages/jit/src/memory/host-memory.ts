import { CertError, type Shape, sizeOf } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import type { DeviceArray, DType, HostArray } from '../devices/device.js';
import { EMPTY, inputName, outputName } from '../onnx/onnx.js';
import type { ArraySpec } from '../trace/trace.js';
import { usedAfterDispose } from './array-checks.js';
import type { Memory, Runtime } from './memory.js';

/** Memory of arrays that were disposed, kept for the results of later calls. */
class Pool {
  private readonly free = new Map<number, ArrayBuffer[]>();
  readonly arrays = new Set<HostMemoryArray>();

  take(bytes: number): ArrayBuffer {
    return this.free.get(bytes)?.pop() ?? new ArrayBuffer(bytes);
  }

  give(buffer: ArrayBuffer): void {
    const list = this.free.get(buffer.byteLength);
    if (list === undefined) this.free.set(buffer.byteLength, [buffer]);
    else list.push(buffer);
  }

  clear(): void {
    this.free.clear();
  }
}

class HostMemoryArray implements DeviceArray {
  disposed = false;

  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
    readonly values: HostArray,
    private readonly pool: Pool,
  ) {
    pool.arrays.add(this);
  }

  async data(): Promise<HostArray> {
    if (this.disposed) throw usedAfterDispose(this.shape);
    return this.values.slice();
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.pool.arrays.delete(this);
    this.pool.give(this.values.buffer as ArrayBuffer);
  }
}

const BYTES: { readonly [D in DType]: number } = { float32: 4, int32: 4, bool: 1 };

function allocate(pool: Pool, shape: Shape, dtype: DType): HostArray {
  const buffer = pool.take(sizeOf(shape) * BYTES[dtype]);
  return dtype === 'float32'
    ? new Float32Array(buffer)
    : dtype === 'int32'
      ? new Int32Array(buffer)
      : new Uint8Array(buffer);
}

/** A NaN that no computation gives: it stands in results until they are written. */
const UNWRITTEN = 0x7fc0dead;

/** In how many parts of an array there is a mark. */
const PARTS = 256;

/** Where the marks of an array stand: all over it, at its end too, so that an array that is written in part keeps some. */
function* markedPlaces(length: number): Iterable<number> {
  const step = Math.max(1, Math.floor(length / PARTS));
  for (let at = 0; at < length; at += step) yield at;
  if (length > 0) yield length - 1;
}

const bitsOf = ({ values }: HostMemoryArray): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);

/** Marks an array of float32. */
function mark(array: HostMemoryArray): void {
  const bits = bitsOf(array);
  for (const at of markedPlaces(bits.length)) bits[at] = UNWRITTEN;
}

/** Whether a mark is left in an array of float32. */
function isUnwritten(array: HostMemoryArray): boolean {
  const bits = bitsOf(array);
  for (const at of markedPlaces(bits.length)) if (bits[at] === UNWRITTEN) return true;
  return false;
}

/** Copies what a run returned, which is its result whether or not the arrays that it was given were written. */
function copyResult(array: HostMemoryArray, returned: Ort.OnnxValue | undefined, name: string): void {
  const data = returned?.data;
  if (!ArrayBuffer.isView(data) || data.byteLength !== array.values.byteLength) {
    throw new CertError(
      'missing-device',
      `ONNX Runtime returned no result "${name}" of shape [${array.shape}].`,
      'Install the tested version of onnxruntime-node: 1.30.',
    );
  }
  const { buffer, byteOffset, byteLength } = array.values;
  if (data.buffer === buffer && data.byteOffset === byteOffset) return;
  new Uint8Array(buffer, byteOffset, byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/**
 * Arrays in the memory of this process; what was disposed is used again for results of the same size.
 *
 * @param refusal the message of the error that a run with the output {@link EMPTY} ends with although its results are complete, see
 * `probeRefusal`; without one, models have no such output
 */
export function hostMemory(ort: Runtime, refusal?: string): Memory<HostMemoryArray> {
  const pool = new Pool();
  const tensor = ({ dtype, values, shape }: HostMemoryArray): Ort.Tensor =>
    new ort.Tensor(dtype as 'float32', values as Float32Array, shape);

  /** Float32 alone can be marked: any bits are an integer or a truth value. */
  const wantsEmpty = (outputs: readonly ArraySpec[]) =>
    refusal !== undefined && outputs.every(({ dtype }) => dtype === 'float32');

  return {
    arrays: pool.arrays,
    wantsEmpty,
    owns: (array): array is HostMemoryArray => array instanceof HostMemoryArray && pool.arrays.has(array),
    put(values, shape, dtype) {
      const copy = allocate(pool, shape, dtype);
      copy.set(values);
      return new HostMemoryArray(shape, dtype, copy, pool);
    },
    async run(session, inputs, outputs) {
      const feeds = Object.fromEntries(inputs.map((array, i) => [inputName(i), tensor(array)]));
      const results = outputs.map(
        ({ shape, dtype }) => new HostMemoryArray(shape, dtype, allocate(pool, shape, dtype), pool),
      );
      const fetches = Object.fromEntries(results.map((array, i) => [outputName(i), tensor(array)]));
      const empty = wantsEmpty(outputs);
      try {
        if (empty) results.forEach(mark);
        const returned = await session.run(feeds, empty ? { [EMPTY]: null, ...fetches } : fetches);
        // Another version may leave the arrays that it is given as they are: they may hold numbers of earlier calls.
        results.forEach((array, i) => {
          copyResult(array, returned[outputName(i)], outputName(i));
        });
      } catch (error) {
        const refused = empty && error instanceof Error && error.message === refusal;
        // Another error may have the same words: then a result still has its mark.
        if (refused && !results.some(isUnwritten)) return results;
        for (const array of results) array.dispose();
        throw error;
      }
      return results;
    },
    release: (session) => session.release(),
    async dispose() {
      pool.clear();
    },
  };
}

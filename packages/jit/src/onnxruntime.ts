import { availableParallelism } from 'node:os';
import { CertError, flattenTree, type Shape, type Tree, unflattenTree } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import type { Device, DeviceArray, DeviceFunction, DType, HostArray, OnDevice } from './device.js';
import { checkCount, usedAfterDispose } from './eager.js';
import { type Graph, sizeOf } from './ir.js';
import { inputName, outputName, toOnnx } from './onnx.js';
import { optimize, type Target } from './passes/index.js';
import { probeBlock } from './probe-block.js';
import { type ArraySpec, trace } from './trace.js';

/** Settings of the compiled CPU device. */
export interface CpuOptions {
  /** Threads of ONNX Runtime; default: one for each core that this process may use. */
  readonly threads?: number;
  /** Replaces the standard passes, for tests and measurements. */
  readonly passes?: (graph: Graph, target: Target) => Graph;
  /** Channels in a block of images, `null` for none; default: what the processor's kernels take. */
  readonly block?: number | null;
  /** Loads the runtime; default `import('onnxruntime-node')`. */
  readonly load?: () => Promise<typeof Ort>;
  /** Writes ONNX Runtime's profile of every session to files with this prefix. */
  readonly profile?: string;
  /** Is given every ONNX model before it is loaded; with `profile`, the documentation of a node is where the function made it. */
  readonly onModel?: (model: Uint8Array) => void;
}

/** Memory of arrays that were disposed, kept for the results of later calls. */
class Pool {
  private readonly free = new Map<number, ArrayBuffer[]>();
  readonly arrays = new Set<CpuArray>();

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

class CpuArray implements DeviceArray {
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

/** One compiled signature of a function. */
interface Compiled {
  readonly session: Ort.InferenceSession;
  readonly outputs: readonly ArraySpec[];
  /** Inputs that the graph really reads; ONNX Runtime rejects the others. */
  readonly result: Tree<number>;
}

/** Compiles functions to ONNX and runs them on ONNX Runtime's CPU provider. */
export async function cpuDevice(options: CpuOptions = {}): Promise<Device> {
  const ort = await loadRuntime(options.load ?? (() => import('onnxruntime-node')));
  const target: Target = { block: options.block === undefined ? await probeBlock(ort) : (options.block ?? undefined) };
  const pool = new Pool();
  const sessions = new Set<Ort.InferenceSession>();
  // Not ONNX Runtime's own default, which ties each thread to a core: on a busy machine it then waits for that very core.
  const threads = options.threads ?? availableParallelism();

  async function compile(f: (...args: never[]) => unknown, args: Tree<DeviceArray>): Promise<Compiled> {
    const { graph, result } = trace(f, args as Tree<ArraySpec>, { sites: options.profile !== undefined });
    const model = toOnnx((options.passes ?? optimize)(graph, target));
    options.onModel?.(model);
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      // A pattern of memory is one more buffer as large as all others: a third of the memory for no time.
      enableMemPattern: false,
      logSeverityLevel: 3,
      ...(options.profile !== undefined && { enableProfiling: true, profileFilePrefix: options.profile }),
    });
    sessions.add(session);
    return { session, outputs: graph.outputs.map(({ shape, dtype }) => ({ shape, dtype })), result };
  }

  return {
    name: 'cpu',
    description: `ONNX Runtime ${ort.env.versions.common ?? ''}, CPU, ${threads} threads`,
    get live() {
      return pool.arrays.size;
    },
    put(values, shape) {
      checkCount(values, shape);
      const dtype: DType = values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'bool';
      const copy = allocate(pool, shape, dtype);
      copy.set(values);
      return new CpuArray([...shape], dtype, copy, pool);
    },
    jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out): DeviceFunction<Args, Out> {
      const compiled = new Map<string, Promise<Compiled>>();
      const call = async (...args: { [K in keyof Args]: OnDevice<Args[K]> }): Promise<OnDevice<Out>> => {
        const tree = args as unknown as Tree<DeviceArray>;
        const leaves = flattenTree<DeviceArray>(tree);
        for (const { value } of leaves) {
          if (value.disposed) throw usedAfterDispose(value.shape);
        }
        const signature = leaves.map(({ path, value }) => `${path}:${value.dtype}[${value.shape}]`).join(' ');
        let program = compiled.get(signature);
        if (program === undefined) {
          program = compile(f as (...args: never[]) => unknown, tree);
          compiled.set(signature, program);
          program.catch(() => compiled.delete(signature));
        }
        const { session, outputs, result } = await program;
        const feeds: { [name: string]: Ort.Tensor } = {};
        leaves.forEach(({ value }, i) => {
          feeds[inputName(i)] = tensor(ort, value as CpuArray);
        });
        const arrays = outputs.map(
          ({ shape, dtype }) => new CpuArray(shape, dtype, allocate(pool, shape, dtype), pool),
        );
        const fetches = Object.fromEntries(arrays.map((array, i) => [outputName(i), tensor(ort, array)]));
        await session.run(feeds, fetches);
        return unflattenTree<DeviceArray>(result, arrays) as OnDevice<Out>;
      };
      return Object.defineProperty(
        Object.assign(call, {
          traces: 0,
          async dispose() {
            const programs = await Promise.allSettled(compiled.values());
            compiled.clear();
            for (const program of programs) {
              if (program.status === 'rejected') continue;
              sessions.delete(program.value.session);
              await program.value.session.release();
            }
          },
        }),
        'traces',
        { get: () => compiled.size },
      );
    },
    async dispose() {
      for (const array of [...pool.arrays]) array.dispose();
      pool.clear();
      for (const session of sessions) {
        if (options.profile !== undefined) session.endProfiling();
        await session.release();
      }
      sessions.clear();
    },
  };
}

const tensor = (ort: typeof Ort, { dtype, values, shape }: CpuArray): Ort.Tensor =>
  new ort.Tensor(dtype as 'float32', values as Float32Array, shape);

async function loadRuntime(load: () => Promise<typeof Ort>): Promise<typeof Ort> {
  try {
    return await load();
  } catch (cause) {
    throw new CertError(
      'missing-package',
      'The device "cpu" needs the package onnxruntime-node, which is not installed or does not load.',
      'Install it: npm install onnxruntime-node (or run on the device "tfjs", which needs nothing, slowly).',
      { cause },
    );
  }
}

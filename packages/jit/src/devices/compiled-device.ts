import { CertError, flattenTree, type Tree, unflattenTree } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import type { Graph } from '../graph/ir.js';
import { checkCount, dtypeOf, ofAnotherDevice, usedAfterDispose } from '../memory/array-checks.js';
import type { Memory, Runtime, Session } from '../memory/memory.js';
import type { Dialect } from '../onnx/emitter.js';
import { toOnnx } from '../onnx/onnx.js';
import { optimize, type Target } from '../passes/index.js';
import { type ArraySpec, trace } from '../trace/trace.js';
import type { Device, DeviceArray, DeviceFunction, OnDevice } from './device.js';

/** Options of every compiled device. */
export interface CompiledOptions {
  /**
   * Replaces the standard passes, for this package's tests and measurements: the graphs that it maps are not part of the interface.
   *
   * @internal
   */
  readonly passes?: (graph: Graph, target: Target) => Graph;
  /** Loads ONNX Runtime; default `import('onnxruntime-node')`. */
  readonly load?: () => Promise<unknown>;
  /** Prefix of files for the ONNX Runtime profile of every session. */
  readonly profile?: string;
  /** Is given each ONNX model before it is loaded; with `profile`, the documentation of a node says where the function made it. */
  readonly onModel?: (model: Uint8Array) => void;
}

/** What makes a device of a provider of ONNX Runtime. */
export interface ProviderParts<A extends DeviceArray>
  extends Pick<Device, 'name' | 'description' | 'warning' | 'roundsToNearest'> {
  readonly ort: Runtime;
  readonly memory: Memory<A>;
  readonly session: Ort.InferenceSession.SessionOptions;
  /** Default: the CPU provider's. */
  readonly dialect?: Dialect;
  /** What the passes may use; default nothing special. */
  readonly target?: Target;
}

/** One compiled signature of a function. */
interface Compiled {
  readonly session: Session;
  readonly outputs: readonly ArraySpec[];
  readonly result: Tree<number>;
}

/** A device that traces functions, compiles each signature to one session and runs it on the arrays of a memory. */
export function compiledDevice<A extends DeviceArray>(
  parts: ProviderParts<A>,
  { passes = optimize, profile, onModel }: CompiledOptions,
): Device {
  const { name, description, warning, roundsToNearest = false, ort, memory } = parts;
  const sessions = new Set<Session>();
  const options: Ort.InferenceSession.SessionOptions = {
    logSeverityLevel: 3,
    ...parts.session,
    ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
  };

  async function compile(f: (...args: never[]) => unknown, args: Tree<DeviceArray>): Promise<Compiled> {
    const { graph, result } = trace(f, args as Tree<ArraySpec>, { sites: profile !== undefined });
    const model = toOnnx(passes(graph, parts.target ?? {}), parts.dialect, {
      empty: memory.wantsEmpty?.(graph.outputs) ?? false,
    });
    onModel?.(model);
    const session = await ort.InferenceSession.create(model, options).catch((cause: unknown) => {
      throw refused(name, cause);
    });
    sessions.add(session);
    return { session, outputs: graph.outputs.map(({ shape, dtype }) => ({ shape, dtype })), result };
  }

  return {
    name,
    description,
    ...(warning !== undefined && { warning }),
    roundsToNearest,
    get live() {
      return memory.arrays.size;
    },
    put(values, shape) {
      checkCount(values, shape);
      return memory.put(values, [...shape], dtypeOf(values));
    },
    jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out): DeviceFunction<Args, Out> {
      const compiled = new Map<string, Promise<Compiled>>();
      const call = async (...args: { [K in keyof Args]: OnDevice<Args[K]> }): Promise<OnDevice<Out>> => {
        const tree = args as unknown as Tree<DeviceArray>;
        const leaves = flattenTree<DeviceArray>(tree);
        const inputs = leaves.map(({ value }) => {
          if (value.disposed) throw usedAfterDispose(value.shape);
          if (!memory.owns(value)) throw ofAnotherDevice(value.shape, name);
          return value;
        });
        const signature = leaves.map(({ path, value }) => `${path}:${value.dtype}[${value.shape}]`).join(' ');
        let program = compiled.get(signature);
        if (program === undefined) {
          program = compile(f as (...args: never[]) => unknown, tree);
          compiled.set(signature, program);
          program.catch(() => compiled.delete(signature));
        }
        const { session, outputs, result } = await program;
        const arrays = await memory.run(session, inputs, outputs);
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
              await memory.release(program.value.session);
            }
          },
        }),
        'traces',
        { get: () => compiled.size },
      );
    },
    async dispose() {
      for (const array of [...memory.arrays]) array.dispose();
      for (const session of sessions) {
        if (profile !== undefined) session.endProfiling();
        await memory.release(session);
      }
      sessions.clear();
      await memory.dispose();
    },
  };
}

/** ONNX Runtime names the op. */
const refused = (device: string, cause: unknown): CertError =>
  new CertError(
    'unsupported-kernel',
    `ONNX Runtime cannot run the compiled function on the device "${device}": ${cause instanceof Error ? cause.message : cause}`,
    'Run the function on another device, or write it with other ops of TensorFlow.js.',
    { cause },
  );

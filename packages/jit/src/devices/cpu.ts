import { availableParallelism } from 'node:os';
import { hostMemory } from '../memory/host-memory.js';
import { type CompiledOptions, compiledDevice } from './compiled-device.js';
import type { Device } from './device.js';
import { loadRuntime, runtimeName } from './load-runtime.js';
import { probeBlock } from './probe-block.js';
import { probeRefusal } from './probe-refusal.js';

/** Options of the compiled CPU device. */
export interface CpuOptions extends CompiledOptions {
  /** Threads of ONNX Runtime; default: one per core available to this process. */
  readonly threads?: number;
  /** Channels in a block of the blocked image layout, `null` for the plain one; default: what the processor's kernels take. */
  readonly block?: number | null;
}

/**
 * Opens a device that compiles functions to ONNX and runs them on the CPU provider of ONNX Runtime.
 *
 * @throws CertError `missing-package` if onnxruntime-node is not installed
 */
export async function cpuDevice(options: CpuOptions = {}): Promise<Device> {
  const ort = await loadRuntime('cpu', options.load);
  // Not ONNX Runtime's own default, which ties each thread to a core: on a busy machine it then waits for that very core.
  const threads = options.threads ?? availableParallelism();
  const session = {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    // A pattern of memory is one more buffer as large as all others: a third of the memory for no time.
    enableMemPattern: false,
    // Threads that wait by spinning take the cores from the code between two runs and from other processes.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
  return compiledDevice(
    {
      name: 'cpu',
      description: `${runtimeName(ort)}, CPU, ${threads} threads`,
      roundsToNearest: true,
      ort,
      memory: hostMemory(ort, await probeRefusal(ort, { executionProviders: ['cpu'], intraOpNumThreads: 1 })),
      session,
      target: { block: options.block === undefined ? await probeBlock(ort) : (options.block ?? undefined) },
    },
    options,
  );
}

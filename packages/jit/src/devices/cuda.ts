import { CertError } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import { hostMemory } from '../memory/host-memory.js';
import type { Dialect } from '../onnx/emitter.js';
import { identityModel } from '../onnx/onnx.js';
import { type CompiledOptions, compiledDevice } from './compiled-device.js';
import type { Device } from './device.js';
import { mayHaveNvidia } from './hardware.js';
import { loadRuntime, runtimeName } from './load-runtime.js';
import { probeRefusal } from './probe-refusal.js';

/** Options of the CUDA device. */
export interface CudaOptions extends CompiledOptions {
  /**
   * Whether matrix products may use TensorFloat-32 (10-bit mantissa): faster, with errors of about 1e-3 that bounds do not account for.
   * Default false; the first device of the process decides.
   */
  readonly tf32?: boolean;
  /** Whether an NVIDIA GPU may be present; default: according to the device files of the machine. */
  readonly nvidia?: () => boolean;
}

/** CUDA's Relu, too, picks 0 for NaN. */
const CUDA: Dialect = { lacks: new Set(['integer Pow']), losesNaN: new Set(['relu']) };

/**
 * Opens a device that compiles functions to ONNX and runs them on the CUDA provider of ONNX Runtime. The Node binding can keep results on
 * the GPU only for WebGPU, so arrays are in host memory and are transferred in every call.
 *
 * @throws CertError `missing-package` if onnxruntime-node is not installed, `missing-device` if no NVIDIA GPU is found or the provider does
 * not load
 */
export async function cudaDevice(options: CudaOptions = {}): Promise<Device> {
  const ort = await loadRuntime('cuda', options.load);
  if (!(options.nvidia ?? mayHaveNvidia)()) {
    throw new CertError(
      'missing-device',
      'The device "cuda" finds no NVIDIA GPU.',
      'Use another device (cert doctor lists devices), or install the NVIDIA driver; a container needs access to the GPU.',
    );
  }
  if (options.tf32 !== true) process.env.NVIDIA_TF32_OVERRIDE ??= '0';
  const session: Ort.InferenceSession.SessionOptions = {
    executionProviders: ['cuda'],
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  };
  try {
    const probe = await ort.InferenceSession.create(identityModel('float32'), session);
    await probe.release();
  } catch (cause) {
    throw doesNotLoad(ort, cause);
  }
  const precision = process.env.NVIDIA_TF32_OVERRIDE === '0' ? 'float32' : 'TF32';
  return compiledDevice(
    {
      name: 'cuda',
      description: `${runtimeName(ort)}, CUDA, ${precision}`,
      ort,
      memory: hostMemory(ort, await probeRefusal(ort, session)),
      session,
      dialect: CUDA,
    },
    options,
  );
}

function doesNotLoad(ort: typeof Ort, cause: unknown): CertError {
  const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  return new CertError(
    'missing-device',
    `The CUDA provider of ${runtimeName(ort)} does not load: ${reason}.`,
    'Run the install script of onnxruntime-node, which downloads the provider (Linux x64: npm rebuild onnxruntime-node). Install CUDA 12 and cuDNN 9 with their folders in LD_LIBRARY_PATH. Alternative: --device webgpu.',
    { cause },
  );
}

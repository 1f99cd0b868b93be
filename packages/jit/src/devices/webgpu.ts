import { CertError } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import { gpuMemory } from '../memory/gpu-memory.js';
import { WEBGPU } from '../onnx/emitter.js';
import { identityModel } from '../onnx/onnx.js';
import { type CompiledOptions, compiledDevice } from './compiled-device.js';
import type { Device } from './device.js';
import { softwareAdapter } from './hardware.js';
import { loadRuntime, runtimeName } from './load-runtime.js';

/** Options of the WebGPU device. */
export interface WebgpuOptions extends CompiledOptions {
  /** Why the adapter is a program and no GPU, in words, `undefined` for a GPU; default: what the machine's files and drivers say. */
  readonly software?: () => string | undefined;
}

/**
 * Opens a device that compiles functions to ONNX and runs them on the WebGPU provider of ONNX Runtime: any GPU with a driver for Vulkan,
 * Metal or Direct3D 12. Arrays stay in GPU memory between calls.
 *
 * @throws CertError `missing-package` if onnxruntime-node is not installed, `missing-device` if no adapter is found or the runtime lacks
 * WebGPU
 */
export async function webgpuDevice(options: WebgpuOptions = {}): Promise<Device> {
  const ort = await loadRuntime('webgpu', options.load);
  const session: Ort.InferenceSession.SessionOptions = {
    // Without an adapter ['webgpu', 'cpu'] throws too: it does not fall back.
    executionProviders: [{ name: 'webgpu', preferredLayout: 'NCHW' }],
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  };
  if (!ort.listSupportedBackends().some(({ name }) => name === 'webgpu')) throw withoutProvider(ort);
  try {
    const probe = await ort.InferenceSession.create(identityModel('float32'), session);
    await probe.release();
  } catch (cause) {
    throw withoutAdapter(cause);
  }
  const software = (options.software ?? softwareAdapter)();
  return compiledDevice(
    {
      name: 'webgpu',
      description: `${runtimeName(ort)}, WebGPU${software === undefined ? '' : ' in software'}`,
      ...(software !== undefined && {
        warning: `webgpu runs on ${software}: results are correct, but slower than on the device "cpu".`,
      }),
      ort,
      memory: gpuMemory(ort, session),
      session: { ...session, preferredOutputLocation: 'gpu-buffer' },
      dialect: WEBGPU,
      target: { gpu: true },
    },
    options,
  );
}

const withoutProvider = (ort: typeof Ort): CertError =>
  new CertError(
    'missing-device',
    `${runtimeName(ort)} for ${process.platform} ${process.arch} does not include WebGPU.`,
    'Install a version with WebGPU: npm install onnxruntime-node@1.30 --ignore-scripts',
  );

const withoutAdapter = (cause: unknown): CertError =>
  new CertError(
    'missing-device',
    'The device "webgpu" finds no graphics adapter.',
    'Install the driver of the GPU, on Linux with Vulkan (the library libvulkan.so.1 and the files of the driver in /usr/share/vulkan/icd.d), or use another device (cert doctor lists devices).',
    { cause },
  );

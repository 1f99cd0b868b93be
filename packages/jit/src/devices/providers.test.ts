/** What the devices of GPUs say when something is missing, with fake runtimes. */
import { CertError } from '@cert/core';
import * as ort from 'onnxruntime-node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cudaDevice } from './cuda.js';
import { webgpuDevice } from './webgpu.js';

type Runtime = typeof ort;

/** ONNX Runtime, whose sessions are made by the CPU provider or fail to be made. */
const runtime = (
  failure?: string,
  backends = ['cpu', 'webgpu'],
): { load: () => Promise<Runtime>; asked: unknown[] } => {
  const asked: unknown[] = [];
  const create = async (model: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    asked.push(options.executionProviders);
    if (failure !== undefined) throw new Error(failure);
    return ort.InferenceSession.create(model, {
      ...options,
      executionProviders: ['cpu'],
      preferredOutputLocation: 'cpu',
    });
  };
  const fake = {
    ...ort,
    listSupportedBackends: () => backends.map((name) => ({ name, bundled: true })),
    InferenceSession: { create } as unknown as Runtime['InferenceSession'],
  };
  return { load: async () => fake, asked };
};

const failure = async (opening: Promise<unknown>): Promise<CertError> => {
  const error = await opening.catch((e: unknown) => e);
  if (error instanceof CertError) return error;
  throw new Error(`no CertError: ${String(error)}`);
};

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('webgpu', () => {
  it('says that it runs in software', async () => {
    const software = await webgpuDevice({ ...runtime(), software: () => 'a program' });
    expect(software.description).toMatch(/WebGPU in software$/);
    expect(software.warning).toContain('webgpu runs on a program');
    const real = await webgpuDevice({ ...runtime(), software: () => undefined });
    expect([real.description.endsWith('WebGPU'), real.warning]).toEqual([true, undefined]);
  });

  it('without package, provider or adapter', async () => {
    const absent = await failure(webgpuDevice({ load: () => Promise.reject(new Error('no')) }));
    expect([absent.code, absent.problem]).toEqual(['missing-package', expect.stringContaining('"webgpu"')]);
    const old = await failure(webgpuDevice(runtime(undefined, ['cpu'])));
    expect([old.code, old.problem]).toEqual(['missing-device', expect.stringContaining('does not include WebGPU')]);
    const bare = await failure(webgpuDevice(runtime('Failed to get a WebGPU adapter')));
    expect([bare.code, bare.problem]).toEqual(['missing-device', expect.stringContaining('no graphics adapter')]);
    expect(bare.cure).toContain('libvulkan.so.1');
  });
});

describe('cuda', () => {
  it('does not round products, unless it is told to', async () => {
    vi.stubEnv('NVIDIA_TF32_OVERRIDE', undefined);
    const { load, asked } = runtime();
    expect((await cudaDevice({ load, tf32: true, nvidia: () => true })).description).toMatch(/CUDA, TF32$/);
    expect(process.env.NVIDIA_TF32_OVERRIDE).toBeUndefined();
    expect((await cudaDevice({ load, nvidia: () => true })).description).toMatch(/CUDA, float32$/);
    expect(process.env.NVIDIA_TF32_OVERRIDE).toBe('0');
    expect(asked.length).toBeGreaterThan(1);
    for (const providers of asked) expect(providers).toEqual(['cuda']);
  });

  it('without a GPU or without its libraries', async () => {
    const bare = await failure(cudaDevice({ ...runtime(), nvidia: () => false }));
    expect([bare.code, bare.problem]).toEqual(['missing-device', 'The device "cuda" finds no NVIDIA GPU.']);
    const message = 'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library\nmore';
    const broken = await failure(cudaDevice({ ...runtime(message), nvidia: () => true }));
    expect(broken.problem).toMatch(/does not load: OrtSession.*shared library\.$/);
    expect(broken.cure).toContain('CUDA 12 and cuDNN 9');
  });
});

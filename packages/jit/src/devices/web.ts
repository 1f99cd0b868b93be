import { CertError, tf } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import { copiedMemory } from '../memory/copied-memory.js';
import { gpuMemory } from '../memory/gpu-memory.js';
import { WEBGPU } from '../onnx/emitter.js';
import { identityModel } from '../onnx/onnx.js';
import { checkArithmetic } from './check-arithmetic.js';
import { type CompiledOptions, compiledDevice } from './compiled-device.js';
import type { Device } from './device.js';
import { type AdapterInfo, describeAdapter, findAdapter, type Page, thisPage } from './web-page.js';
import { loadWebRuntime, type WebBackend, type WebRuntime } from './web-runtime.js';

/** Options of the device for browsers. */
export interface WebOptions extends Pick<CompiledOptions, 'passes' | 'load' | 'onModel'> {
  /**
   * What computes: `webgpu` or `wasm`. Default: WebGPU where the browser has a GPU for it whose arithmetic is float32, else WebAssembly; the
   * device then has a `warning` that says why.
   */
  readonly backend?: WebBackend;
  /**
   * Address of the folder that serves the files of `onnxruntime-web/dist`, absolute or relative to the page; default `ort/`. The first
   * device of a page decides.
   */
  readonly files?: string;
  /**
   * Threads of WebAssembly; default: one for every two cores, at most 4. More than one needs a cross-origin isolated page. The first device of
   * a page decides.
   */
  readonly threads?: number;
  /**
   * What the page offers; for tests.
   *
   * @internal
   */
  readonly page?: Page;
}

/** A device in a browser. */
export interface WebDevice extends Device {
  /** What computes. */
  readonly backend: WebBackend;
  /** Threads that compute; 1 on WebGPU. */
  readonly threads: number;
}

/**
 * Opens a device that compiles functions to ONNX and runs them in a browser, in a page or a web worker: on the GPU by WebGPU, or on the
 * processor by WebAssembly. Its `description` and `backend` say on which. Where it is not what was asked for, `warning` says why.
 *
 * @throws CertError `missing-package` without onnxruntime-web, `missing-device` if the files of onnxruntime-web are not served, if
 * `backend: 'webgpu'` finds no adapter, or if a backend does not compute in float32
 */
export async function webDevice(options: WebOptions = {}): Promise<WebDevice> {
  const { page = thisPage, backend } = options;
  // Functions are traced beside a backend of TensorFlow.js, and some of them start late.
  await tf.ready();
  if (backend === 'wasm') return wasmDevice(options, page);
  const reason = await gpuDevice(options, page);
  if (typeof reason !== 'string') return reason;
  if (backend === undefined) return wasmDevice(options, page, reason);
  throw new CertError(
    'missing-device',
    `The device "web" cannot use WebGPU: ${reason}.`,
    "Use WebAssembly: webDevice({ backend: 'wasm' }), or a browser with WebGPU on a machine with a GPU.",
  );
}

/** The device on WebGPU, or why not, in words. */
async function gpuDevice(options: WebOptions, page: Page): Promise<WebDevice | string> {
  const { backend, files = FILES, load } = options;
  const found = await findAdapter(page);
  if (typeof found === 'string') return found;
  if (found.software && backend === undefined) return onSoftware(found.name);
  const ort = await loadWebRuntime('webgpu', { page, files, threads: 1, ...(load && { load }) });
  const session: Ort.InferenceSession.SessionOptions = {
    executionProviders: [{ name: 'webgpu', preferredLayout: 'NCHW' }],
  };
  try {
    const probe = await ort.InferenceSession.create(identityModel('float32'), session);
    await probe.release();
  } catch (cause) {
    return `ONNX Runtime does not start on it (${firstLine(cause)})`;
  }
  const { name, software } = describeAdapter(await adapterInfo(ort));
  if (software && backend === undefined) return onSoftware(name);
  const device = compiledDevice(
    {
      name: 'web',
      description: `${runtimeName(ort)}, WebGPU${name && `, ${name}`}${software ? ' in software' : ''}`,
      ...(software && { warning: `web runs on the software adapter ${name}: results are correct, but slow.` }),
      ort,
      memory: gpuMemory(ort, session),
      session: { ...session, preferredOutputLocation: 'gpu-buffer' },
      dialect: WEBGPU,
      target: { gpu: true },
    },
    options,
  );
  const wrong = await checkArithmetic(device);
  if (wrong === undefined) return withBackend(device, 'webgpu', 1);
  await device.dispose();
  return `its arithmetic is not that of float32 (${wrong})`;
}

async function wasmDevice(options: WebOptions, page: Page, noWebgpu?: string): Promise<WebDevice> {
  const { files = FILES, load } = options;
  // Threads wait busily for each other: on a machine with other work, as many as cores are slower than one.
  const wanted = options.threads ?? Math.min(4, Math.ceil((page.navigator?.hardwareConcurrency ?? 1) / 2));
  const isolated = page.crossOriginIsolated === true;
  const ort = await loadWebRuntime('wasm', {
    ...{ page, files, threads: isolated ? wanted : 1 },
    ...(load && { load }),
  });
  const session: Ort.InferenceSession.SessionOptions = { executionProviders: ['wasm'] };
  try {
    const probe = await ort.InferenceSession.create(identityModel('float32'), session);
    await probe.release();
  } catch (cause) {
    throw new CertError(
      'missing-device',
      `WebAssembly of ${runtimeName(ort)} does not start: ${firstLine(cause)}.`,
      "Serve .mjs files as text/javascript and .wasm files as application/wasm, both of the installed version of onnxruntime-web, and allow 'wasm-unsafe-eval' if the page has a Content-Security-Policy. Then reload the page.",
      { cause },
    );
  }
  const threads = ort.env.wasm.numThreads ?? 1;
  const notes = [
    noWebgpu !== undefined && `web runs on WebAssembly: ${noWebgpu}.`,
    wanted > 1 &&
      !isolated &&
      'web runs in one thread, because the page is not cross-origin isolated: serve the page with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
  ].filter((note) => note !== false);
  const device = compiledDevice(
    {
      name: 'web',
      description: `${runtimeName(ort)}, WebAssembly, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      ...(notes.length > 0 && { warning: notes.join(' ') }),
      ort,
      memory: copiedMemory(ort),
      session,
    },
    options,
  );
  const wrong = await checkArithmetic(device);
  if (wrong === undefined) return withBackend(device, 'wasm', threads);
  await device.dispose();
  throw new CertError(
    'missing-device',
    `WebAssembly of ${runtimeName(ort)} does not compute in float32 here (${wrong}).`,
    'Use another browser, or eagerDevice of @cert/jit on the TensorFlow.js backend "cpu".',
  );
}

const onSoftware = (name: string): string => `its adapter ${name} is a program that computes on the processor`;

/** Beside the page. */
const FILES = 'ort/';

const runtimeName = ({ env }: WebRuntime): string => `ONNX Runtime Web ${env.versions.web ?? ''}`.trim();

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.replace(/\.$/, '');

/** Not a copy, whose number of live arrays would stand still. */
const withBackend = (device: Device, backend: WebBackend, threads: number): WebDevice =>
  Object.assign(device, { backend, threads });

/** What the browser says of the adapter that ONNX Runtime took. */
async function adapterInfo({ env }: WebRuntime): Promise<AdapterInfo | undefined> {
  const device: (object & { readonly adapterInfo?: AdapterInfo }) | undefined = await env.webgpu.device;
  return device?.adapterInfo;
}

import { CertError } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import type { Runtime } from '../memory/memory.js';
import type { Page } from './web-page.js';

/** What computes: the GPU, or WebAssembly with SIMD on the processor. */
export type WebBackend = 'webgpu' | 'wasm';

/** ONNX Runtime Web for one backend: the module that starts it, and the files that it loads, `.mjs` and `.wasm`. */
const BUILDS: { readonly [B in WebBackend]: { readonly load: () => Promise<unknown>; readonly file: string } } = {
  webgpu: { load: () => import('onnxruntime-web/webgpu'), file: 'ort-wasm-simd-threaded.asyncify' },
  wasm: { load: () => import('onnxruntime-web/wasm'), file: 'ort-wasm-simd-threaded' },
};

/** ONNX Runtime Web, of which a page has one for each backend. */
export interface WebRuntime extends Runtime {
  readonly env: typeof Ort.env;
}

/** How it is loaded; the first device of a page decides. */
export interface LoadOptions {
  readonly page: Page;
  readonly files: string;
  readonly threads: number;
  /** Default: the module of onnxruntime-web. */
  readonly load?: () => Promise<unknown>;
}

const loaded = new Map<() => Promise<unknown>, Promise<WebRuntime>>();

/**
 * Loads ONNX Runtime Web, once for each backend of the page.
 *
 * @throws CertError `missing-package` without onnxruntime-web, `missing-device` where its files are not served
 */
export function loadWebRuntime(backend: WebBackend, options: LoadOptions): Promise<WebRuntime> {
  const { load = BUILDS[backend].load } = options;
  const known = loaded.get(load);
  if (known !== undefined) return known;
  const loading = loadOnce(backend, { ...options, load });
  loaded.set(load, loading);
  // Nothing has been started yet: the next try may succeed.
  loading.catch(() => loaded.delete(load));
  return loading;
}

async function loadOnce(
  backend: WebBackend,
  { page, files, threads, load }: Required<LoadOptions>,
): Promise<WebRuntime> {
  const { file } = BUILDS[backend];
  const ort = await importRuntime(load);
  const folder = folderOf(files, page);
  await checkFile(page, new URL(`${file}.mjs`, folder), backend);
  await checkFile(page, new URL(`${file}.wasm`, folder), backend);
  // Not the module in the bundle of the page: its threads would load the whole bundle again.
  ort.env.wasm.wasmPaths = folder.href;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  return oneAtATime(ort);
}

const isRuntime = (module: unknown): module is typeof Ort =>
  typeof module === 'object' && module !== null && 'InferenceSession' in module && 'Tensor' in module;

async function importRuntime(load: () => Promise<unknown>): Promise<typeof Ort> {
  try {
    const module = await load();
    if (!isRuntime(module)) throw new Error('The module has no InferenceSession and Tensor.');
    return module;
  } catch (cause) {
    throw new CertError(
      'missing-package',
      'The device "web" needs the package onnxruntime-web, which is not installed or does not load.',
      'Install the package: npm install onnxruntime-web@1.30 (or use eagerDevice of @cert/jit, which needs no package but is slow).',
      { cause },
    );
  }
}

function folderOf(files: string, { location }: Page): URL {
  try {
    return new URL(files.endsWith('/') ? files : `${files}/`, location?.href);
  } catch (cause) {
    throw new CertError(
      'bad-argument',
      `The option "files" of the device "web" is "${files}", which is no address for the page ${location?.href ?? 'without an address'}.`,
      'Give the full address of the folder that serves the files of onnxruntime-web: https://example.com/ort/',
      { cause },
    );
  }
}

/** Asks for a file before ONNX Runtime does, which cannot try again after a failure, nor say what went wrong. */
async function checkFile({ fetch }: Page, address: URL, backend: WebBackend): Promise<void> {
  const problem = await fetch?.(address.href, { method: 'HEAD' }).then(
    ({ ok, status, headers }) => {
      // Some servers know GET alone. Servers of applications send their page for every unknown address.
      if (status === 405 || status === 501) return undefined;
      if (!ok) return `status ${status}`;
      return headers.get('content-type')?.startsWith('text/html') ? 'a page of HTML, not the file' : undefined;
    },
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (problem === undefined) return;
  const build = BUILDS[backend].file;
  throw new CertError(
    'missing-device',
    `The device "web" cannot load ${address.href} (${problem}).`,
    `Serve ${build}.mjs and ${build}.wasm of node_modules/onnxruntime-web/dist from one folder, over http(s), and name the folder: webDevice({ files: '/ort/' }).`,
  );
}

/** Lets sessions be created and run one after the other: ONNX Runtime Web mixes up calls that overlap. */
function oneAtATime({ Tensor, InferenceSession, env }: typeof Ort): WebRuntime {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const done = last.then(task);
    last = done.catch(() => {});
    return done;
  };
  return {
    Tensor,
    env,
    InferenceSession: {
      async create(model, options) {
        const session = await inTurn(() => InferenceSession.create(model, options));
        return {
          run: (feeds: Ort.InferenceSession.FeedsType) => inTurn(() => session.run(feeds)),
          release: () => inTurn(() => session.release()),
          endProfiling: () => session.endProfiling(),
        };
      },
    },
  };
}

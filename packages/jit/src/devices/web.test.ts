/** What the device for browsers says and does where something is missing, with fake pages and runtimes. Chromium runs it in `golden`. */
import { CertError, type Tensor, tf } from '@cert/core';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type WebOptions, webDevice } from './web.js';
import { describeAdapter } from './web-page.js';

type Page = NonNullable<WebOptions['page']>;
type Create = (model: Uint8Array, options: ort.InferenceSession.SessionOptions) => Promise<unknown>;

/** ONNX Runtime, whose sessions are made by the CPU provider of Node.js in place of the one that is asked for. */
function runtime(create: Create = async () => undefined) {
  const asked: unknown[] = [];
  const settings = { wasm: {} as { wasmPaths?: string; numThreads?: number }, webgpu: {}, versions: { web: '1.30.0' } };
  const load = async () => ({
    ...ort,
    env: settings,
    InferenceSession: {
      async create(model: Uint8Array, options: ort.InferenceSession.SessionOptions) {
        asked.push(options.executionProviders);
        await create(model, options);
        return ort.InferenceSession.create(model, {
          ...options,
          executionProviders: ['cpu'],
          preferredOutputLocation: 'cpu',
        });
      },
    },
  });
  return { load, asked, settings };
}

const answer = (status: number, type = 'text/javascript') =>
  new Response(null, { status, headers: { 'content-type': type } });

/** An isolated page whose files are served. */
const page = (changes: Partial<Page> = {}): Page => ({
  location: { href: 'https://example.com/app/' },
  crossOriginIsolated: true,
  navigator: { hardwareConcurrency: 8 },
  fetch: async () => answer(200),
  ...changes,
});

const adapter = (info = {}) => ({
  navigator: { hardwareConcurrency: 8, gpu: { requestAdapter: async () => ({ info }) } },
});

const failure = async (opening: Promise<unknown>): Promise<CertError> => {
  const error = await opening.catch((e: unknown) => e);
  if (error instanceof CertError) return error;
  throw new Error(`no CertError: ${String(error)}`);
};

describe('webDevice', () => {
  it('runs on WebGPU where there is an adapter', async () => {
    const { load, asked, settings } = runtime();
    const device = await webDevice({ load, page: page(adapter()) });
    expect([device.name, device.backend, device.threads, device.warning]).toEqual(['web', 'webgpu', 1, undefined]);
    expect(device.description).toBe('ONNX Runtime Web 1.30.0, WebGPU');
    expect(settings.wasm).toEqual({ wasmPaths: 'https://example.com/app/ort/', numThreads: 1 });
    for (const providers of asked) expect(providers).toEqual([{ name: 'webgpu', preferredLayout: 'NCHW' }]);
    await device.dispose();
  });

  it('falls back to WebAssembly, and says why', async () => {
    const software = adapter({ vendor: 'google', architecture: 'swiftshader' });
    const noAdapter = { navigator: { hardwareConcurrency: 2, gpu: { requestAdapter: async () => null } } };
    for (const [changes, reason] of [
      [{}, 'web runs on WebAssembly: this browser has no WebGPU, or the page is neither https nor localhost.'],
      [noAdapter, 'web runs on WebAssembly: this browser finds no graphics adapter.'],
      [
        software,
        'web runs on WebAssembly: its adapter google swiftshader is a program that computes on the processor.',
      ],
    ] as const) {
      const { load, asked, settings } = runtime();
      const device = await webDevice({ load, files: '/files', page: page(changes) });
      expect([device.backend, device.warning]).toEqual(['wasm', reason]);
      expect(settings.wasm.wasmPaths).toBe('https://example.com/files/');
      expect([settings.wasm.numThreads, device.threads]).toEqual(changes === noAdapter ? [1, 1] : [4, 4]);
      for (const providers of asked) expect(providers).toEqual(['wasm']);
      await device.dispose();
    }
  });

  it('falls back where the GPU does not start, or is told to use nothing else', async () => {
    const broken = async (_: Uint8Array, { executionProviders: [first] = [] }: ort.InferenceSession.SessionOptions) => {
      if (typeof first === 'object') throw new Error('device lost\nmore');
    };
    const options = { load: runtime(broken).load, page: page(adapter()) };
    const device = await webDevice(options);
    expect([device.backend, device.warning]).toEqual([
      'wasm',
      'web runs on WebAssembly: ONNX Runtime does not start on it (device lost).',
    ]);
    await device.dispose();
    const forced = await failure(webDevice({ ...options, backend: 'webgpu' }));
    expect(forced.problem).toBe('The device "web" cannot use WebGPU: ONNX Runtime does not start on it (device lost).');
  });

  it('refuses a backend whose arithmetic is not that of float32', async () => {
    for (const [wrong, why] of [
      [(x: number) => Math.fround(x + 2 ** -11 * x), 'a product with the identity matrix changes numbers'],
      [(x: number) => (Number.isNaN(x) ? 0 : x), 'NaN becomes a number'],
    ] as const) {
      const error = await failure(webDevice({ backend: 'wasm', load: inexact(wrong), page: page() }));
      expect(error.problem).toBe(`WebAssembly of ONNX Runtime Web 1.30.0 does not compute in float32 here (${why}).`);
    }
  });

  it('runs in one thread where the page is not isolated', async () => {
    const { load, settings } = runtime();
    const device = await webDevice({ load, backend: 'wasm', page: page({ crossOriginIsolated: false }) });
    expect([device.threads, settings.wasm.numThreads]).toEqual([1, 1]);
    expect(device.warning).toMatch(/^web runs in one thread.*Cross-Origin-Embedder-Policy: require-corp\.$/);
    await device.dispose();
  });

  it('names the file that is not served, and works once it is', async () => {
    const { load } = runtime();
    const serving = (answers: (address: string) => Response) => page({ fetch: async (address) => answers(address) });
    const isWasm = (address: string) => address.endsWith('.wasm');
    const open = (one: Page) => webDevice({ load, backend: 'wasm', page: one });
    const missing = await failure(open(serving((address) => answer(isWasm(address) ? 404 : 200))));
    expect([missing.code, missing.problem]).toEqual([
      'missing-device',
      'The device "web" cannot load https://example.com/app/ort/ort-wasm-simd-threaded.wasm (status 404).',
    ]);
    expect(missing.cure).toContain('ort-wasm-simd-threaded.mjs and ort-wasm-simd-threaded.wasm');
    const html = await failure(open(serving(() => answer(200, 'text/html; charset=utf-8'))));
    expect(html.problem).toContain('ort-wasm-simd-threaded.mjs (a page of HTML, not the file)');
    const offline = await failure(open(page({ fetch: () => Promise.reject(new TypeError('Failed to fetch')) })));
    expect(offline.problem).toContain('(Failed to fetch)');
    // A server that knows no HEAD.
    const device = await open(serving(() => answer(405)));
    expect(device.backend).toBe('wasm');
    await device.dispose();
  });

  it('says what is wrong with an address, and that the package is missing', async () => {
    const { load } = runtime();
    const address = await failure(
      webDevice({ load, backend: 'wasm', files: 'ort/', page: page({ location: { href: 'about:blank' } }) }),
    );
    expect([address.code, address.problem]).toEqual(['bad-argument', expect.stringContaining('"ort/"')]);
    const absent = await failure(webDevice({ load: () => Promise.reject(new Error('no')), page: page() }));
    expect([absent.code, absent.cure]).toEqual(['missing-package', expect.stringContaining('onnxruntime-web@1.30')]);
  });

  it('names the op that the runtime lacks', async () => {
    let opened = false;
    const { load } = runtime(async () => {
      if (opened) throw new Error("Could not find an implementation for Erf(13) node with name 't0'");
    });
    const device = await webDevice({ load, backend: 'wasm', page: page() });
    opened = true;
    const x = device.put(Float32Array.of(1), [1]);
    const error = await failure(device.jit((one: Tensor) => tf.erf(one))(x));
    expect([error.code, error.problem]).toEqual(['unsupported-kernel', expect.stringContaining('Erf(13)')]);
    await device.dispose();
  });
});

it('describeAdapter finds programs', () => {
  expect(describeAdapter({ vendor: 'nvidia', architecture: 'hopper' })).toEqual({
    name: 'nvidia hopper',
    software: false,
  });
  expect(describeAdapter({ vendor: 'google', architecture: 'swiftshader' }).software).toBe(true);
  expect(describeAdapter({ vendor: 'intel', isFallbackAdapter: true }).software).toBe(true);
  expect(describeAdapter()).toEqual({ name: '', software: false });
});

/** A runtime that changes the numbers of every result. */
function inexact(change: (x: number) => number): () => Promise<unknown> {
  const { load } = runtime();
  return async () => {
    const exact = await load();
    return {
      ...exact,
      InferenceSession: {
        async create(...args: Parameters<typeof exact.InferenceSession.create>) {
          const session = await exact.InferenceSession.create(...args);
          return {
            async run(feeds: ort.InferenceSession.FeedsType) {
              const results = await session.run(feeds);
              return Object.fromEntries(
                Object.entries(results).map(([name, { type, data, dims }]) => [
                  name,
                  type === 'float32'
                    ? new ort.Tensor('float32', (data as Float32Array).map(change), dims)
                    : results[name]!,
                ]),
              );
            },
            release: () => session.release(),
          };
        },
      },
    };
  };
}

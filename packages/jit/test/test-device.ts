import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Device } from '../src/index.js';
import { openDevice } from '../src/node/index.js';
import { webDevice } from '../src/web/index.js';

const { resolve } = createRequire(import.meta.url);

/** Opens a device by its name; `web` is that for browsers, on WebAssembly, which Node.js runs too. */
export function openTestDevice(name: string): Promise<Device> {
  if (name !== 'web') return openDevice(name);
  return webDevice({
    backend: 'wasm',
    threads: 1,
    load: () => import('onnxruntime-web'),
    files: './',
    page: { location: { href: String(pathToFileURL(resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'))) } },
  });
}

/** Serves the test page and opens it in Chromium. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Program } from './page.js';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = PLACES.find((path) => existsSync(path));

/** For the names of tests: why they are skipped; empty where there is a browser. */
export const noBrowser = executablePath === undefined ? ' (skipped without Chromium: apt-get install chromium)' : '';

/** For {@link openBrowser}: WebGPU on Chromium's software adapter. */
export const SWIFTSHADER = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** How the page is served. */
interface Serving {
  /** Whether pages are cross-origin isolated, which threads need. */
  readonly isolated: boolean;
  /** Whether the files of ONNX Runtime are there: yes, no, or a page of HTML in their place. */
  readonly files: 'served' | 'missing' | 'html';
}

/** The browser with the page. */
export interface Browsing {
  /** Opens the page anew. */
  page(serving: Serving): Promise<Page>;
  close(): Promise<void>;
}

const TYPES: { readonly [ending: string]: string } = {
  js: 'text/javascript',
  mjs: 'text/javascript',
  wasm: 'application/wasm',
};

const RUNTIME = dirname(fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm')));

/** @param args of Chromium */
export async function openBrowser(args: readonly string[] = []): Promise<Browsing> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
    ...{ bundle: true, write: false, splitting: true, format: 'esm', platform: 'browser', outdir: '/' },
    conditions: ['@cert/source'],
    logLevel: 'error',
  });
  const scripts = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  const browser: Browser = await chromium.launch({
    ...(executablePath !== undefined && { executablePath }),
    args: ['--no-sandbox', ...args],
  });
  const servers: Server[] = [];

  const serve = async ({ isolated, files }: Serving): Promise<string> => {
    const server = createServer(async ({ url = '/' }, response) => {
      if (isolated) {
        response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
        response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
      }
      const send = (type: string, content: string | Uint8Array) =>
        response.writeHead(200, { 'content-type': type }).end(content);
      const script = scripts.get(url);
      if (script !== undefined) return send('text/javascript', script);
      const html =
        '<!doctype html><title>test</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';
      if (url === '/' || (url.startsWith('/ort/') && files === 'html')) return send('text/html', html);
      if (!url.startsWith('/ort/') || files === 'missing') return response.writeHead(404).end();
      return send(TYPES[url.split('.').at(-1)!]!, await readFile(join(RUNTIME, url.slice('/ort/'.length))));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  };

  return {
    async page(serving) {
      const page = await browser.newPage();
      page.setDefaultTimeout(120_000);
      await page.goto(await serve(serving));
      await page.waitForFunction('globalThis.program !== undefined');
      return page;
    },
    async close() {
      await browser.close();
      for (const server of servers) server.close();
    },
  };
}

/** Calls a function of the page by its name. */
export const call = <K extends keyof Program>(
  page: Page,
  name: K,
  argument?: Parameters<Program[K]>[0],
): Promise<Awaited<ReturnType<Program[K]>>> => page.evaluate(`program.${name}(${JSON.stringify(argument)})`);

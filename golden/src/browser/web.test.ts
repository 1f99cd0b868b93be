/** The device `web` in Chromium: what it says, golden files, and training as on the device `cpu`. */
import { cpuDevice } from '@cert/jit/node';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browsing, call, noBrowser, openBrowser, SWIFTSHADER } from './chromium.js';
import { certifiesAsCpu, compare, digitBatches, opened } from './on-page.js';
import { batchesOf, trainDigits } from './train-digits.js';

/** Generous: everything takes seconds, unless other tests run at the same time. */
const TIMEOUT = 240_000;

describe.skipIf(noBrowser !== '')(`the device web in Chromium${noBrowser}`, () => {
  let browser: Browsing;
  beforeAll(async () => {
    browser = await openBrowser();
  }, TIMEOUT);
  afterAll(() => browser?.close());

  describe('on WebAssembly', () => {
    let page: Page;
    beforeAll(async () => {
      page = await browser.page({ isolated: true, files: 'served' });
    }, TIMEOUT);

    it(
      'says why it is not on the GPU, and runs in threads',
      async () => {
        expect(await call(page, 'open', { threads: 2 })).toEqual({
          name: 'web',
          backend: 'wasm',
          description: 'ONNX Runtime Web 1.30.0, WebAssembly, 2 threads',
          warning: expect.stringMatching(
            /^web runs on WebAssembly: this browser (has no WebGPU|finds no graphics)[^.]*\.$/,
          ),
          threads: 2,
        });
        // Threads are those of the first device.
        expect(await call(page, 'open', { backend: 'wasm' })).toMatchObject({ threads: 2, warning: '' });
      },
      TIMEOUT,
    );

    it.each(['ibp_cnn.json', 'ibp_cnn_train.json', 'crown_mlp.json', 'trajectory.json'])(
      'finds the numbers of %s',
      async (name) => expect(await compare(page, name)).toEqual([]),
      TIMEOUT,
    );

    it('certifies as the device cpu does, and never what is NaN', () => certifiesAsCpu(page), TIMEOUT);

    it(
      'trains digits/quick as the device cpu does, and leaks nothing',
      async () => {
        const plain = await digitBatches(20);
        const before = await call(page, 'count');
        const web = await call(page, 'digits', plain);
        const cpu = await cpuDevice();
        const reference = await trainDigits(cpu, batchesOf(plain));
        await cpu.dispose();
        const distance = web.losses.map((loss, i) => Math.abs(loss / reference.losses[i]! - 1));
        // The first loss is before any update, the second one after a single step.
        expect(Math.max(...distance.slice(0, 2))).toBeLessThan(1e-4);
        // Differences of rounding grow from step to step, between layouts of the device cpu too: to 1e-3 in ten natural steps, then faster.
        expect(Math.max(...distance.slice(0, 10))).toBeLessThan(2e-3);
        expect(Math.max(...distance)).toBeLessThan(0.15);
        expect(web.losses[9]).toBeLessThan(0.6 * web.losses[0]!);
        expect(new Set(web.live).size).toBe(1);
        expect(await call(page, 'count')).toEqual(before);
      },
      TIMEOUT,
    );
  });

  it(
    'runs in one thread where the page is not isolated, and says how to serve it',
    async () => {
      const page = await browser.page({ isolated: false, files: 'served' });
      const { warning, threads } = await opened(page, { backend: 'wasm', threads: 2 });
      expect([threads, warning]).toEqual([1, expect.stringContaining('Cross-Origin-Opener-Policy: same-origin')]);
      expect(await compare(page, 'ibp_mlp.json')).toEqual([]);
    },
    TIMEOUT,
  );

  it.each([
    ['missing', 'status 404'],
    ['html', 'a page of HTML, not the file'],
  ] as const)('names the file that it cannot load: %s', async (files, why) => {
    const page = await browser.page({ isolated: true, files });
    const address = new URL('/ort/ort-wasm-simd-threaded.mjs', page.url()).href;
    expect(await call(page, 'open', { backend: 'wasm' })).toEqual({
      code: 'missing-device',
      problem: `The device "web" cannot load ${address} (${why}).`,
      cure: expect.stringContaining("webDevice({ files: '/ort/' })"),
    });
    // The same with another address, in the same page.
    expect(await call(page, 'open', { backend: 'wasm', files: '/elsewhere' })).toMatchObject({
      problem: expect.stringContaining('/elsewhere/ort-wasm-simd-threaded.mjs (status 404)'),
    });
  });

  it('refuses WebGPU without an adapter', async () => {
    const page = await browser.page({ isolated: true, files: 'served' });
    expect(await call(page, 'open', { backend: 'webgpu' })).toEqual({
      code: 'missing-device',
      problem: expect.stringMatching(/^The device "web" cannot use WebGPU: this browser /),
      cure: expect.stringContaining("backend: 'wasm'"),
    });
  });
});

describe.skipIf(noBrowser !== '')(`the device web on Chromium's software adapter${noBrowser}`, () => {
  let browser: Browsing;
  let page: Page;
  beforeAll(async () => {
    browser = await openBrowser(SWIFTSHADER);
    page = await browser.page({ isolated: false, files: 'served' });
  }, TIMEOUT);
  afterAll(() => browser?.close());

  it(
    'runs on WebGPU only if told to, and says that it is a program',
    async () => {
      const chosen = await opened(page, {});
      expect([chosen.backend, chosen.warning]).toEqual(['wasm', expect.stringContaining('swiftshader is a program')]);
      const forced = await opened(page, { backend: 'webgpu' });
      expect([forced.backend, forced.threads]).toEqual(['webgpu', 1]);
      expect(forced.description).toMatch(/^ONNX Runtime Web 1\.30\.0, WebGPU, .*swiftshader in software$/);
      expect(forced.warning).toContain('results are correct, but slow');
    },
    TIMEOUT,
  );

  it(
    'keeps the number of arrays and of buffers of the GPU constant',
    async () => {
      const { values, live, buffers } = await call(page, 'descend', 20);
      expect(values[0]).toBeCloseTo(2, 2);
      expect(values[1]).toBeCloseTo(-1, 2);
      expect(new Set(live).size).toBe(1);
      // The first steps fill the runtime's cache of buffers.
      expect([buffers[0]! > 0, new Set(buffers.slice(4)).size]).toEqual([true, 1]);
    },
    TIMEOUT,
  );
});

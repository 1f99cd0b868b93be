/** Golden files and training on WebGPU in Chromium: minutes on its software adapter. */
import { cpuDevice } from '@cert/jit/node';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browsing, call, noBrowser, openBrowser, SWIFTSHADER } from './chromium.js';
import { certifiesAsCpu, compare, digitBatches, opened } from './on-page.js';
import { batchesOf, trainDigits } from './train-digits.js';

/** Generous: everything takes seconds, unless other tests run at the same time. */
const TIMEOUT = 240_000;

describe.skipIf(noBrowser !== '')(`the device web on Chromium's software adapter${noBrowser}`, () => {
  let browser: Browsing;
  let page: Page;
  beforeAll(async () => {
    browser = await openBrowser(SWIFTSHADER);
    page = await browser.page({ isolated: false, files: 'served' });
    await opened(page, { backend: 'webgpu' });
  }, TIMEOUT);
  afterAll(() => browser?.close());

  it('finds the numbers of ibp_cnn.json', async () => expect(await compare(page, 'ibp_cnn.json')).toEqual([]), TIMEOUT);

  it('certifies as the device cpu does, and never what is NaN', () => certifiesAsCpu(page), TIMEOUT);

  it(
    'takes training steps of digits/quick as the device cpu does, and leaks nothing',
    async () => {
      const plain = (await digitBatches(8)).map(({ pixels, labels }) => ({
        pixels: pixels.slice(0, 8 * 784),
        labels: labels.slice(0, 8),
      }));
      const web = await call(page, 'digits', plain);
      const cpu = await cpuDevice();
      const reference = await trainDigits(cpu, batchesOf(plain));
      await cpu.dispose();
      const distance = web.losses.map((loss, i) => Math.abs(loss / reference.losses[i]! - 1));
      // Rounding grows from step to step, the faster the smaller the batch.
      expect(Math.max(...distance.slice(0, 2))).toBeLessThan(1e-4);
      expect(Math.max(...distance.slice(0, 4))).toBeLessThan(1e-3);
      expect(Math.max(...distance)).toBeLessThan(0.1);
      expect(new Set(web.live).size).toBe(1);
      // The last two steps of each graph: compiling it takes buffers.
      expect([web.buffers[3], web.buffers[7]]).toEqual([web.buffers[2], web.buffers[6]]);
    },
    TIMEOUT,
  );
});

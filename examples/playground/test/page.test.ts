/** Builds the page and uses it in Chromium, as a visitor does who opened the file. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const needs = executablePath === undefined ? ' (skipped: there is no Chromium; apt-get install chromium)' : '';

/** Generous: it takes seconds, unless other tests run at the same time. */
const TIMEOUT = 240_000;

describe.skipIf(executablePath === undefined)(`the page in Chromium${needs}`, () => {
  let [folder, browser]: [string, Browser] = ['', undefined as never];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-playground-'));
    const cwd = fileURLToPath(new URL('..', import.meta.url));
    await promisify(execFile)('npm', ['start', '--silent', '--', '--outDir', folder], { cwd });
    browser = await chromium.launch({ executablePath: executablePath! });
  }, TIMEOUT);
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('is one file', async () => {
    expect(await readdir(folder)).toEqual(['index.html']);
  });

  it.each([
    { width: 400, colorScheme: 'dark', hasTouch: true },
    { width: 1400, colorScheme: 'light', hasTouch: false },
  ] as const)(
    'draws, slides, attacks and trains at $width pixels, $colorScheme',
    async ({ width, ...options }) => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, ...options });
      page.setDefaultTimeout(TIMEOUT);
      const [problems, requests]: string[][] = [[], []];
      page.on('console', (message) => problems!.push(message.text()));
      page.on('pageerror', (error) => problems!.push(String(error)));
      page.on('request', (request) => requests!.push(request.url()));
      const address = String(pathToFileURL(join(folder, 'index.html')));
      await page.goto(address);

      // It begins with a test digit.
      const [certified, plain] = [cardOf(page, 'Certified network'), cardOf(page, 'Plain network')];
      await certified.heading('Verified at ε = 0.100');
      await plain.heading('Not verified at ε = 0.100');
      await certified.says('Prediction: 1, which is right');
      await certified.says(/Certified radius: IBP 0\.1\d\d, CROWN-IBP 0\.1\d\d/);
      await plain.says(/Certified radius: IBP 0\.00\d, CROWN-IBP 0\.0\d\d/);
      await page.getByRole('status').filter({ hasText: 'Certified network: Verified at ε = 0.100' }).waitFor();

      // The slider, by its keys.
      const slider = page.getByLabel('Radius ε per pixel');
      await slider.focus();
      await page.keyboard.press('ArrowRight');
      await certified.heading('Verified at ε = 0.102');
      await page.keyboard.press('Home');
      await certified.heading('Verified at ε = 0.000');
      expect(await page.getByRole('button', { name: 'Attack' }).isDisabled()).toBe(true);
      await page.keyboard.press('End');
      await plain.heading('Not verified at ε = 0.200');
      await slider.fill('0.1');

      // A drawing.
      const area = page.getByRole('application', { name: 'Drawing area' });
      await draw(page, area, [
        [0.3, 0.25],
        [0.7, 0.25],
        [0.6, 0.45],
        [0.45, 0.8],
      ]);
      await certified.says('Prediction: 7.');
      await certified.heading('Verified at ε = 0.100');

      // The attack; what it finds stays true in a larger ball, and says nothing of a smaller one.
      await page.getByRole('button', { name: 'Attack' }).click();
      await certified.says('found no adversarial example at ε = 0.100. The bounds prove that there is none.');
      await plain.heading('Not robust at ε = 0.100');
      await plain.says(/found an adversarial example at ε = 0\.100: 7 becomes \d\./);
      expect(await plain.card.getByRole('img', { name: 'The adversarial example' }).isVisible()).toBe(true);
      await plain.says(/an attack succeeds at 0\.0\d\d/);
      await slider.fill('0.15');
      await plain.heading('Not robust at ε = 0.150');
      await slider.fill('0.004');
      await plain.heading(/^(Not v|V)erified at ε = 0\.004$/);

      // Keys draw, too: a line downwards is a 1.
      await page.getByRole('button', { name: 'Clear' }).click();
      await certified.card.waitFor({ state: 'hidden' });
      await area.focus();
      await page.keyboard.press('Space');
      for (let k = 0; k < 14; k++) await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Space');
      await certified.says('Prediction: 1.');

      // A few epochs.
      await page.getByRole('button', { name: 'Start training' }).click();
      const moons = page
        .getByRole('article')
        .filter({ has: page.getByRole('heading', { name: 'Certified training' }) });
      await moons.filter({ hasText: /Epoch [3-9] of 120/ }).waitFor();
      await page.getByLabel('Bounds that verify').selectOption('CROWN-IBP');
      await page.getByRole('button', { name: 'Stop training' }).click();
      await page.getByRole('button', { name: 'Continue training' }).waitFor();
      await page.getByText(/^Training has stopped after epoch \d+\. Verified: certified training \d+,/).waitFor();
      await moons.filter({ hasText: 'Verified by CROWN-IBP at ε = 0.050' }).waitFor();
      await page.getByRole('button', { name: 'Reset' }).click();
      await moons.filter({ hasText: 'Epoch 0 of 120' }).waitFor();

      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(
        0,
      );
      expect(await page.locator('main').textContent()).not.toMatch(/NaN(?! or infinite)|undefined|Infinity/);
      expect(await unnamed(page)).toEqual([]);
      expect(problems).toEqual([]);
      expect(requests).toEqual([address]);
      await page.close();
    },
    TIMEOUT,
  );
});

/** A card of a digit network. */
function cardOf(page: Page, title: string) {
  const card = page.locator('article').filter({ has: page.locator('h3', { hasText: title }) });
  return {
    card,
    heading: (text: string | RegExp) =>
      card
        .locator('[data-part=heading]')
        .filter({ hasText: text instanceof RegExp ? text : exactly(text) })
        .waitFor(),
    says: (text: string | RegExp) => card.filter({ hasText: text }).waitFor(),
  };
}

const exactly = (text: string) => new RegExp(`^${text.replaceAll('.', '\\.')}$`);

/** Moves a pressed pointer over places of an area, given as parts of its size. */
async function draw(page: Page, area: ReturnType<Page['locator']>, places: readonly (readonly [number, number])[]) {
  await area.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await area.boundingBox())!;
  for (const [i, [right, down]] of places.entries()) {
    await page.mouse.move(x + right * width, y + down * height, { steps: 4 });
    if (i === 0) await page.mouse.down();
  }
  await page.mouse.up();
}

/** Controls without a name for screen readers. */
const unnamed = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, input, select, [tabindex], [role=img]')]
      .filter((control) => {
        const labels =
          control instanceof HTMLInputElement || control instanceof HTMLSelectElement ? control.labels : [];
        return !control.getAttribute('aria-label') && (labels?.length ?? 0) === 0 && control.textContent.trim() === '';
      })
      .map((control) => control.outerHTML.slice(0, 80)),
  );

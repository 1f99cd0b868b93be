/** The page of a real run, as a browser shows it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, SMALL } from '../../test/cert.js';
import { noBrowser, openBrowser, openReport } from '../../test/chromium.js';

/** An expression of the page: whether so many lines of a figure are drawn. */
const linesAre = (count: number) =>
  `document.querySelectorAll('#figure-loss .plot .mark-line.role-mark path').length === ${count}`;

describe.skipIf(noBrowser !== '')(`the page of a report${noBrowser}`, () => {
  let place: string;
  let browser: Browser;
  /** One run, and two in a page. */
  let files: readonly string[];
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'cert-page-'));
    const [run, other] = [join(place, 'a'), join(place, 'b')] as const;
    expect(await cert('train', '--out', run, ...SMALL)).toMatchObject({ status: 0 });
    expect(await cert('train', '--out', other, ...SMALL, '--method', 'vanilla')).toMatchObject({ status: 0 });
    expect(await cert('eval', run, '--attack-steps', '20', '--attack-restarts', '1')).toMatchObject({ status: 0 });
    files = [join(run, 'report.html'), join(place, 'both.html')];
    expect(await cert('report', run, '--limit', '20')).toMatchObject({ status: 0 });
    expect(await cert('report', run, other, '--limit', '20', '--out', files[1]!)).toMatchObject({ status: 0 });
    browser = await openBrowser();
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await rm(place, { recursive: true, force: true });
  });

  const open = (file: string, width: number, colorScheme: 'light' | 'dark', told: string[]) =>
    openReport(browser, file, { width, colorScheme, told });

  const background = (page: Page) =>
    page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--page').trim()");

  // Each width and each scheme once; both at both would take twice as long.
  const looks = [
    [400, 'dark'],
    [1400, 'light'],
  ] as const;
  for (const [width, scheme] of looks) {
    it(`is drawn and used at ${width} pixels, ${scheme}`, async () => {
      for (const file of files) {
        const told: string[] = [];
        const page = await open(file, width, scheme, told);
        expect(await background(page)).toBe(scheme === 'light' ? '#ffffff' : '#14171c');
        const wide = await page.evaluate('document.documentElement.scrollWidth');
        expect(wide).toBe(width);

        const plots = await page.locator('.plot').count();
        expect(await page.locator('.plot svg').count()).toBe(plots);
        const sizes = await page
          .locator('.plot svg')
          .evaluateAll((all) => all.map((svg) => svg.getBoundingClientRect()));
        expect(sizes.every(({ width: w, height }) => w > 200 && w <= width && height > 100)).toBe(true);
        expect(
          await page.locator('.plot').evaluateAll((all) => all.filter((e) => /NaN|undefined/.test(e.innerHTML)).length),
        ).toBe(0);

        const images = await page
          .locator('img')
          .evaluateAll((all) => all.map((img) => [img.naturalWidth, img.alt !== '']));
        expect(images.length).toBeGreaterThan(5);
        expect(images.every(([size, alt]) => size === 28 && alt)).toBe(true);

        const loss = page.locator('[data-chart="loss"]');
        await loss.focus();
        const readout = page.locator('#figure-loss .readout');
        for (const [key, text] of [
          ['ArrowRight', 'epoch 1:'],
          ['End', 'epoch 12:'],
          ['ArrowLeft', 'epoch 11:'],
          ['Home', 'epoch 1:'],
        ]) {
          await page.keyboard.press(key!);
          expect(await readout.textContent()).toMatch(new RegExp(`^${text} .*\\d`));
        }
        // The cursor of the other figures moves with it.
        expect(await page.locator('#figure-epsilon .readout').textContent()).toMatch(/^epoch 1: /);
        await page.keyboard.press('Escape');
        expect(await readout.textContent()).toBe('');
        await loss.hover();
        await page.waitForFunction("/^epoch \\d/.test(document.querySelector('#figure-loss .readout').textContent)");

        const button = page.locator('#figure-loss .legend button').first();
        const lines = () => page.locator('#figure-loss .plot .mark-line.role-mark path').count();
        const before = await lines();
        await button.click();
        expect(await button.getAttribute('aria-pressed')).toBe('false');
        await page.waitForFunction(linesAre(before - 1));
        await button.click();
        await page.waitForFunction(linesAre(before));

        await page.locator('#figure-loss summary').click();
        expect(await page.locator('#figure-loss tbody tr').count()).toBe(12);
        expect(await page.locator('#figure-loss tbody tr').first().isVisible()).toBe(true);
        for (const name of ['Errors', 'Training', 'Radii', 'Gallery', 'Confusion', 'Provenance', 'Verdict']) {
          await page.getByRole('navigation').getByRole('link', { name }).click();
          expect(new URL(page.url()).hash).toBe(`#${name.toLowerCase()}`);
        }
        await page.locator('details summary', { hasText: 'Configuration' }).first().click();
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        expect(told).toEqual([]);
        await page.close();
      }
    }, 120_000);
  }

  it('follows the width, and is light on paper', async () => {
    const page = await open(files[0]!, 1400, 'dark', []);
    const width = () => page.locator('[data-chart="loss"] svg').evaluate((svg) => svg.getBoundingClientRect().width);
    expect(await width()).toBeGreaterThan(400);
    await page.setViewportSize({ width: 400, height: 900 });
    await page.waitForFunction(`document.querySelector('[data-chart=loss] svg').getBoundingClientRect().width < 400`);
    await page.emulateMedia({ media: 'print' });
    expect(await background(page)).toBe('#ffffff');
    expect(await page.getByRole('navigation').isVisible()).toBe(false);
    const pdf = await page.pdf({ format: 'A4' });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    await page.close();
  });

  it('may load nothing, even if a script asked for it', async () => {
    const page = await open(files[0]!, 400, 'light', []);
    const blocked = await page.evaluate(`(async () => {
      const violations = [];
      document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
      await fetch('https://example.invalid/').catch(() => {});
      for (const name of ['img', 'script']) {
        const element = document.createElement(name);
        element.src = 'https://example.invalid/x';
        document.head.append(element);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
      return violations.sort();
    })()`);
    expect(blocked).toEqual(['connect-src', 'img-src', 'script-src-elem']);
    await page.close();
  });

  it('without scripts, has all numbers and pictures', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(pathToFileURL(files[0]!).href);
    expect(await page.locator('.lead').textContent()).toContain('test images of digits');
    await page.locator('#figure-loss summary').click();
    expect(await page.locator('#figure-loss tbody tr').first().isVisible()).toBe(true);
    await context.close();
  });

  it('has its headings in order, and a name for all that can be focused', async () => {
    for (const file of files) {
      const page = await open(file, 1400, 'light', []);
      const levels = await page
        .locator('h1, h2, h3, h4')
        .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])));
      expect(levels[0]).toBe(1);
      levels.slice(1).forEach((level, i) => void expect(level - levels[i]!).toBeLessThanOrEqual(1));
      const nameless = await page
        .locator('[tabindex], button, a[href], summary')
        .evaluateAll(
          (all) => all.filter((e) => (e.getAttribute('aria-label') ?? e.textContent ?? '').trim() === '').length,
        );
      expect(nameless).toBe(0);
      await page.close();
    }
  });
});

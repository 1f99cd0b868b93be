/** The page of a regression, as a browser shows it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert } from '../../test/cert.js';
import { noBrowser, openBrowser, openReport } from '../../test/chromium.js';
import { regressionRun } from '../../test/regression.js';

describe.skipIf(noBrowser !== '')(`the page of a regression${noBrowser}`, () => {
  let place: string;
  let browser: Browser;
  /** One run, and two in a page. */
  let files: readonly string[];
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'cert-regression-page-'));
    const [run, other] = [await regressionRun(place, 'a'), await regressionRun(place, 'b', '--method', 'natural')];
    expect(await cert('eval', run, '--delta', '40', '--device', 'tfjs')).toMatchObject({ status: 0 });
    files = [join(run, 'report.html'), join(place, 'both.html')];
    expect(await cert('report', run, '--delta', '40', '--device', 'tfjs')).toMatchObject({ status: 0 });
    const both = ['report', run, other, '--out', files[1]!, '--device', 'tfjs'];
    expect(await cert(...both)).toMatchObject({ status: 0 });
    browser = await openBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await rm(place, { recursive: true, force: true });
  });

  for (const [width, colorScheme] of [
    [400, 'dark'],
    [1400, 'light'],
  ] as const) {
    it(`is drawn and used at ${width} pixels, ${colorScheme}`, async () => {
      for (const [i, file] of files.entries()) {
        const told: string[] = [];
        const page = await openReport(browser, file, { width, colorScheme, told });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        expect(await page.locator('.plot svg').count()).toBe(await page.locator('.plot').count());
        expect(
          await page.locator('.plot').evaluateAll((all) => all.filter((e) => /NaN|undefined/.test(e.innerHTML)).length),
        ).toBe(0);
        const figures = page.locator('#predictions figure');
        expect(await figures.count()).toBe(i + 1);
        const first = figures.first();
        expect(await first.locator('.mark-rule.role-mark line').count()).toBe(12);
        expect(await first.locator('.mark-symbol.role-mark path').count()).toBe(12);
        await first.locator('.plot').focus();
        await page.keyboard.press('ArrowRight');
        expect(await first.locator('.readout').textContent()).toMatch(
          /^label \d+: row \d+ predicted [-\d.]+, proved [-\d.]+ to [-\d.]+, /,
        );
        await first.locator('summary').click();
        expect(await first.locator('tbody tr').count()).toBe(12);
        await page.getByRole('navigation').getByRole('link', { name: 'Predictions' }).click();
        expect(new URL(page.url()).hash).toBe('#predictions');
        const levels = await page
          .locator('h1, h2, h3, h4')
          .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])));
        levels.slice(1).forEach((level, k) => void expect(level - levels[k]!).toBeLessThanOrEqual(1));
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        expect(told).toEqual([]);
        await page.close();
      }
    }, 60_000);
  }
});

import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Where systems put it: Debian, Ubuntu, macOS. */
const PLACES = [
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const found = PLACES.find((path) => existsSync(path));

/** For the names of tests: why they are skipped; empty where there is a browser. */
export const noBrowser = found === undefined ? ' (skipped without Chromium: apt-get install chromium)' : '';

/** Starts Chromium without a window; the caller closes it. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ ...(found !== undefined && { executablePath: found }), args: ['--no-sandbox'] });

/** How {@link openReport} opens a page. */
interface View {
  readonly width: number;
  readonly colorScheme: 'light' | 'dark';
  /** Gets what the page says on the console and what it asks the network for. */
  readonly told: string[];
}

/** Opens the file of a report, and waits for its figures; the caller closes the page. */
export async function openReport(browser: Browser, file: string, { width, colorScheme, told }: View): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  page.on('console', (message) => void told.push(message.text()));
  page.on('pageerror', (error) => void told.push(error.message));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith('data:') && url !== pathToFileURL(file).href) told.push(url);
  });
  await page.goto(pathToFileURL(file).href);
  await page.waitForFunction("document.querySelectorAll('.plot svg').length > 0");
  return page;
}

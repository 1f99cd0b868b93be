import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

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

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import preset from '../../vitest.preset.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const HOUR = 3_600_000;

/** `npm run check:packages`: the packages as npm would publish them, used outside the workspace. */
export default defineConfig({
  test: {
    ...preset.test,
    root: here,
    include: ['*.test.ts'],
    globalSetup: 'set-up.ts',
    testTimeout: HOUR,
    hookTimeout: HOUR,
    // Of tests in one file, which wait for commands.
    maxConcurrency: 2,
    outputFile: { json: '../../.reports/packages.json' },
  },
});

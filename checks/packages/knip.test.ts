/** No file, export or dependency of the repository is without use. What is excepted, and why, is in knip.jsonc. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root, run } from './command.ts';

it('knip finds nothing', async () => {
  const knip = join(root, 'node_modules', 'knip', 'bin', 'knip.js');
  const { stdout } = await run(root, process.execPath, knip, '--no-progress', '--treat-config-hints-as-errors');
  expect(stdout).toBe('');
});

/**
 * `npm run test:tfjs-node`: the tests of the device tfjs-node, with the package @tensorflow/tfjs-node (`npm install --no-save
 * @tensorflow/tfjs-node@4.22.0`). Installs nothing; without the package it says why and skips.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

const node = (...args) => spawnSync(process.execPath, args, { stdio: 'inherit' }).status;

rmSync('.reports/tfjs-node.json', { force: true });
if (node('--conditions=@cert/source', '--import=tsx', 'scripts/open-device.ts', 'tfjs-node') === 0) {
  const options = ['run', '--config', 'vitest.device.ts', '--mode', 'tfjs-node'];
  process.exitCode = node('node_modules/vitest/vitest.mjs', ...options) ?? 1;
} else {
  console.log('test:tfjs-node skipped.');
}

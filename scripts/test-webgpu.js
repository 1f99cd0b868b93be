/**
 * `npm run test:webgpu`: the tests of the device webgpu, on the adapter that is there or else on SwiftShader, the software adapter that
 * Debian's chromium brings. Installs nothing; without an adapter it says why and skips.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

const CHROMIUM = '/usr/lib/chromium';
const DRIVER = `${CHROMIUM}/vk_swiftshader_icd.json`;

const node = (args, env, stdio) => spawnSync(process.execPath, args, { env: { ...process.env, ...env }, stdio });

/** Whether ONNX Runtime finds an adapter; it must be asked in a process of its own, as libraries are searched when it starts. */
const works = (env) =>
  node(['--conditions=@cert/source', '--import=tsx', 'scripts/open-device.ts', 'webgpu'], env, [
    'ignore',
    'inherit',
    'ignore',
  ]).status === 0;

// The library that loads Vulkan drivers is chromium's own where the system has none.
const software = {
  VK_ICD_FILENAMES: DRIVER,
  LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, CHROMIUM].filter(Boolean).join(':'),
};
const environments = existsSync(DRIVER) ? [{}, software] : [{}];
rmSync('.reports/webgpu.json', { force: true });
const environment = environments.find(works);
if (environment === undefined) {
  const why = existsSync(DRIVER) ? `${DRIVER} does not load` : `there is no ${DRIVER} (apt-get install chromium)`;
  console.log(`test:webgpu skipped: no graphics adapter, and for a software adapter ${why}.`);
} else {
  const vitest = 'node_modules/vitest/vitest.mjs';
  const args = [vitest, 'run', '--config', 'vitest.device.ts', '--mode', 'webgpu'];
  process.exitCode = node(args, environment, 'inherit').status ?? 1;
}

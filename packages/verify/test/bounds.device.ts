/** The conformance suites with the bounds computed on the device that CERT_TEST_DEVICE names; what an eager run checks too (gradients, purity) is left out. */
import { crownIbp, ibp, naturalPass } from '@cert/bounds';
import { openDevice } from '@cert/jit/node';
import { boundMethodSuite } from '@cert/testing';
import { afterAll, describe, it } from 'vitest';

const device = await openDevice(process.env.CERT_TEST_DEVICE ?? 'webgpu');
afterAll(() => device.dispose());

const CHECKS = /(contains random points|single points|in a batch, and an empty batch|is exact).*, compiled for/;

describe.each([
  ['ibp', ibp, 'layers'],
  ['crown-ibp', crownIbp, 'output'],
] as const)('%s on WebGPU', (_, method, exactOn) => {
  const suite = boundMethodSuite({ method, forward: naturalPass, exactOn, device });
  for (const { name, run } of suite.filter((check) => CHECKS.test(check.name))) it(name, run);
});

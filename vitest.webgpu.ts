import { defineConfig } from 'vitest/config';
import preset from './vitest.preset.ts';

/**
 * The tests that `npm run test:webgpu` runs on WebGPU: some that run on the CPU otherwise, and those in `*.webgpu.ts`. The slowest
 * come first.
 */
export default defineConfig({
  ...preset,
  test: {
    ...preset.test,
    include: [
      'golden/src/golden.test.ts',
      'golden/src/browser/*.webgpu.ts',
      'packages/jit/src/jit.test.ts',
      'packages/jit/src/lower/kernels.test.ts',
      'packages/trainer/src/compiled-steps.test.ts',
      'packages/cli/src/not-finite.device.test.ts',
      'packages/verify/test/*.webgpu.ts',
      'soundness/src/verifiers/executions.test.ts',
      'packages/verify/test/hostile.test.ts',
      'examples/quickstart/test/*.webgpu.ts',
    ],
    env: { ...preset.test?.env, CERT_TEST_DEVICE: 'webgpu' },
    testTimeout: 170_000,
    outputFile: { json: '.reports/webgpu.json' },
  },
});

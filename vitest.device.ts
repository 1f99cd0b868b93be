import { defineConfig } from 'vitest/config';
import preset from './vitest.preset.ts';

/** What `jit.test.ts` says of compiling does not hold where nothing is compiled. */
const compiled = ['packages/jit/src/jit.test.ts'];

/**
 * The tests that `npm run test:webgpu` and `npm run test:tfjs-node` run on the device that `--mode` names: some that run on the CPU otherwise,
 * and those in `*.device.ts`. The slowest come first.
 */
export default defineConfig(({ mode: device }) => ({
  ...preset,
  test: {
    ...preset.test,
    include: [
      'golden/src/golden.test.ts',
      ...(device === 'webgpu' ? ['golden/src/browser/*.webgpu.ts'] : []),
      ...(device.startsWith('tfjs') ? [] : compiled),
      'packages/jit/src/lower/kernels.test.ts',
      ...(device === 'webgpu' ? ['packages/jit/src/passes/gpu/not-finite.test.ts'] : []),
      'packages/trainer/src/compiled-steps.test.ts',
      'packages/cli/src/not-finite.device.test.ts',
      'packages/verify/test/*.device.ts',
      'soundness/src/verifiers/executions.test.ts',
      'packages/verify/test/hostile.test.ts',
      'examples/quickstart/test/*.device.ts',
    ],
    env: { ...preset.test?.env, CERT_TEST_DEVICE: device },
    testTimeout: 170_000,
    outputFile: { json: `.reports/${device}.json` },
  },
}));

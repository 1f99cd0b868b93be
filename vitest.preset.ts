import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Tests run from source: the `@cert/source` export condition resolves every workspace package to its `src/index.ts`. */
export default defineConfig({
  ssr: { resolve: { conditions: ['@cert/source'], externalConditions: ['@cert/source'] } },
  resolve: { conditions: ['@cert/source'] },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    typecheck: { include: ['src/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
    // For what hangs: a busy machine may take several times as long as a quiet one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', 'json'],
    outputFile: { json: '.reports/vitest.json' },
    // Some tests import ONNX Runtime by themselves; its telemetry is on by default. What tests cache is not left in the cache of the user.
    env: { ORT_DISABLE_TELEMETRY: '1', XDG_CACHE_HOME: join(tmpdir(), 'cert-tests') },
    pool: 'forks',
    maxWorkers: 2,
    // TensorFlow.js takes a second to load; the files of a worker share it. They must leave the backend and the environment as they were.
    isolate: false,
  },
});

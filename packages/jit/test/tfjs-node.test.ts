/** The device tfjs-node with the real package, where it is installed. TensorFlow stays in a process once loaded, so each test starts one. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const device = 'tfjs-node';
const { resolve } = createRequire(import.meta.url);
const installed = (() => {
  try {
    return resolve(`@tensorflow/${device}`) !== '';
  } catch {
    return false;
  }
})();

async function facts(environment: { readonly [name: string]: string } = {}) {
  const script = fileURLToPath(new URL('tfjs-node-facts.ts', import.meta.url));
  const args = ['--import', 'tsx', '--conditions=@cert/source', script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, ...environment },
  });
  return { ...(JSON.parse(stdout) as { readonly errors: readonly number[] }), stderr };
}

const name = `${device}${installed ? '' : ` (skipped without the package @tensorflow/${device})`}`;
describe.skipIf(!installed)(name, () => {
  it.each([{}, { TF_ENABLE_ONEDNN_OPTS: '0' }, { TF_ENABLE_ONEDNN_OPTS: '1' }])(
    'computes what the JavaScript backend does, and sums of products, with %j',
    async (environment) => {
      const { errors, ...rest } = await facts(environment);
      expect(rest).toMatchObject({ roundsToNearest: false, backend: 'cpu', same: true, keepsNaN: true });
      expect(rest).toMatchObject({ description: expect.stringMatching(/tfjs-node [\d.]+, TensorFlow [\d.]+, CPU$/) });
      // Not even the notice of TensorFlow, nor a deprecation warning of Node.js.
      expect(rest.stderr).not.toMatch(/tensorflow\/core|DeprecationWarning/);
      for (const error of errors) {
        expect(error).toBeGreaterThan(0);
        expect(error).toBeLessThan(1);
      }
    },
  );
});

/** What the command loads before it has anything to compute: TensorFlow.js takes several times as long as a help text may. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../test/loaded.ts', import.meta.url));

const loaded = (...args: string[]) => {
  const { stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--conditions=@cert/source', script, ...args]);
  return Number(/LOADED (\d+)/.exec(String(stderr))?.[1]);
};

it.each([['--help'], ['--version'], ['trian']])('cert %s loads neither TensorFlow.js nor ONNX Runtime', (arg) => {
  expect(loaded(arg)).toBe(0);
});

it('cert train --help, which says what the presets are, loads TensorFlow.js', () => {
  expect(loaded('train', '--help')).toBeGreaterThan(0);
});

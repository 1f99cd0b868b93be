/** What the command does when its output cannot be written. It runs as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));

async function run(args: readonly string[], stdout: 'pipe' | number, hangUp = false) {
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@cert/source', cli, ...args], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  if (hangUp) child.stdout?.destroy();
  let err = '';
  child.stderr?.on('data', (text) => {
    err += text;
  });
  const [status] = await once(child, 'close');
  return { status, err };
}

it('ends quietly when nobody reads', async () => {
  expect(await run(['train', '--print-config'], 'pipe', true)).toEqual({ status: 0, err: '' });
});

it.skipIf(!existsSync('/dev/full'))('says that the disk is full (skipped where there is no /dev/full)', async () => {
  const { status, err } = await run(['train', '--print-config'], openSync('/dev/full', 'w'));
  expect({ status, err }).toEqual({
    status: 1,
    err: expect.stringMatching(/^error: the output cannot be written: ENOSPC[^\n]*\n$/),
  });
});

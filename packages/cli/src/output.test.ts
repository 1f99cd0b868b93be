/** What the command does when its output cannot be written. It runs as a process of its own. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runFiles } from '@cert/trainer/pipeline';
import { expect, it } from 'vitest';
import { CERT, certProcess } from '../test/process.js';

async function run(args: readonly string[], stdout: 'pipe' | number, hangUp = false) {
  const [node, ...options] = CERT;
  const child = spawn(node!, [...options, ...args], { stdio: ['ignore', stdout, 'pipe'] });
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

it.skipIf(process.platform === 'win32')('trains to the end when `head` has read enough', async () => {
  const place = await mkdtemp(join(tmpdir(), 'cert-output-'));
  const run = join(place, 'run');
  const args = ['train', '--out', run, '--device', 'tfjs', '--limit', '20', '--epochs', '3', '--attack-restarts', '0'];
  const small = ['--width', '2', '--dense', '4'];
  // The parentheses keep the status of the command, which a pipe hides behind that of `head`.
  const script = '{ "$@"; echo "status $?" >&2; } | head -n 1';
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script, 'sh', ...CERT, ...args, ...small]);
  expect(stdout).toMatch(/^digits\/quick \(fast\), seed 0: .*\n$/);
  expect(stderr).toBe('status 0\n');
  expect(JSON.parse(await readFile(runFiles(run).summary, 'utf8'))).toMatchObject({ epochs: 3, images: 20 });
  await rm(place, { recursive: true });
});

it.skipIf(!existsSync('/dev/full'))('says that the disk is full (skipped where there is no /dev/full)', async () => {
  const { status, err } = await run(['train', '--print-config'], openSync('/dev/full', 'w'));
  expect({ status, err }).toEqual({
    status: 1,
    err: expect.stringMatching(/^error: cannot write the output: ENOSPC[^\n]*\n$/),
  });
});

it.skipIf(process.platform === 'win32')(
  'a run whose first checkpoint cannot be written leaves nothing in its way',
  async () => {
    const place = await mkdtemp(join(tmpdir(), 'cert-output-'));
    const run = join(place, 'run');
    const args = [
      'train',
      '--out',
      run,
      '--device',
      'tfjs',
      '--limit',
      '20',
      '--epochs',
      '1',
      '--attack-restarts',
      '0',
    ];
    // Blocks of 512 or 1024 bytes: the checkpoint has 2 MB.
    const limited = spawn('sh', ['-c', 'ulimit -f 500; exec "$@"', 'sh', ...CERT, ...args, '--width', '8'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    limited.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    expect((await once(limited, 'close'))[0]).toBe(1);
    expect(err).toMatch(/^error: .*last\.safetensors cannot be written: EFBIG.*\nRaise the file size limit .*\n$/);
    expect(await readdir(run)).toEqual([]);
    expect(await certProcess([...args, '--width', '2', '--dense', '4'])).toMatchObject({ status: 0 });
    await rm(place, { recursive: true });
  },
);

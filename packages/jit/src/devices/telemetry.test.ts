import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../test/compile-once.ts', import.meta.url));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cert-home-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** Runs in a process of its own with an empty home folder. */
async function run(where: string, environment: { readonly [name: string]: string } = {}) {
  // On the machines of continuous integration the library keeps quiet by itself, and the test would show nothing.
  const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, CI: ___, ...env } = process.env;
  const args = ['--import', 'tsx', '--conditions=@cert/source', script, where];
  const options = { env: { ...env, HOME: home, ...environment } };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options).catch((error) => error);
  // The program that runs TypeScript may keep files of its own.
  const files = await readdir(home, { recursive: true });
  return { stdout: stdout.trim(), stderr, left: files.filter((file) => file.includes('onnxruntime')) };
}

it.each(['here', 'worker-shared'])('a compiled function leaves nothing in the home folder: %s', async (where) => {
  expect(await run(where)).toMatchObject({ stdout: '42', left: [] });
});

it.each(['worker', 'worker-copied'])(
  'a worker that cannot switch it off says so, and loads nothing: %s',
  async (where) => {
    const { stdout, stderr, left } = await run(where);
    expect({ stdout, left }).toEqual({ stdout: '', left: [] });
    expect(stderr).toContain('ORT_DISABLE_TELEMETRY=1');
    expect(await run('worker', { ORT_DISABLE_TELEMETRY: '1' })).toMatchObject({ stdout: '42', left: [] });
  },
);

it('a user can leave it on', async () => {
  const { stdout, left } = await run('here', { ORT_DISABLE_TELEMETRY: '0' });
  expect(stdout).toBe('42');
  expect(left).not.toEqual([]);
});

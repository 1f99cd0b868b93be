import { spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { calledAs, resumeHint } from './called-as.js';
import { ownVersion } from './version.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

describe('calledAs', () => {
  it.each([
    ['npx cert', 'exec', 'npx', '/home/me/project/node_modules/.bin/cert'],
    ['npx cert', 'exec', 'npx', 'C:\\project\\node_modules\\@cert\\cli\\bin\\cert.js'],
    ['npx cert', undefined, undefined, '/home/me/project/node_modules/.bin/cert'],
    ['npx cert', 'exec', 'npx', '/home/me/clone/packages/cli/src/cli.ts'],
    ['npx cert', 'run', 'experiment', '/home/me/project/node_modules/.bin/cert'],
    ['npx @cert/cli', 'exec', 'npx', '/home/me/.npm/_npx/0123456789abcdef/node_modules/.bin/cert'],
    ['npm run cert --', 'run', 'cert', '/home/me/clone/packages/cli/src/cli.ts'],
    ['npm run cert --', 'run-script', 'cert', '/home/me/clone/packages/cli/src/cli.ts'],
    ['cert', undefined, undefined, '/usr/local/bin/cert'],
  ])('%s', (command, npm_command, npm_lifecycle_event, script) => {
    expect(calledAs({ npm_command, npm_lifecycle_event }, script)).toBe(command);
  });

  it('quotes a folder as a shell needs it', () => {
    expect(resumeHint('runs/1')).toBe('Resume with: cert train --resume runs/1');
    expect(resumeHint("runs/it's")).toBe("Resume with: cert train --resume 'runs/it'\\''s'");
  });
});

describe('bin/cert.js', () => {
  /** The package as it is in a clone after `npm ci`: without `dist`. Inside the repository, where tsx is found. */
  const clone = join(root, 'packages', 'cli', '.reports', 'clone');
  const bin = join(clone, 'bin', 'cert.js');
  const cert = (...args: string[]) => spawnSync(process.execPath, [bin, ...args], { cwd: '/', encoding: 'utf8' });
  beforeAll(async () => {
    await rm(clone, { recursive: true, force: true });
    await mkdir(clone, { recursive: true });
    for (const name of ['bin', 'package.json'])
      await cp(join(root, 'packages', 'cli', name), join(clone, name), { recursive: true });
    for (const name of ['src', 'templates']) await symlink(join(root, 'packages', 'cli', name), join(clone, name));
  });
  afterAll(() => rm(clone, { recursive: true, force: true }));

  it('runs from source where nothing is built, from any folder', async () => {
    expect(await readdir(clone)).not.toContain('dist');
    expect(cert('--version')).toMatchObject({ status: 0, stdout: `${ownVersion()}\n`, stderr: '' });
    expect(cert('doctor')).toMatchObject({ status: 0, stdout: expect.stringContaining('--device auto') });
    expect(cert('trian')).toMatchObject({ status: 1, stderr: expect.stringContaining('Did you mean train?') });
  });

  it('is in git and executable, as npm links nothing that is not there', () => {
    const { stdout } = spawnSync('git', ['ls-files', '--stage', 'packages/cli/bin'], { cwd: root, encoding: 'utf8' });
    expect(stdout).toMatch(/^100755 .*\tpackages\/cli\/bin\/cert\.js\n$/);
  });
});

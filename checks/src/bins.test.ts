/** The commands of a clone, before and after a build. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './markdown.js';

const COMMANDS = [
  { folder: 'cli', bin: 'cert.js', args: ['trian'], status: 1, says: 'Did you mean train?' },
  { folder: 'cli', bin: 'cert.js', args: ['doctor'], status: 0, says: '--device auto ' },
  { folder: 'check', bin: 'cert-check.js', args: ['/nowhere.cert.json'], status: 1, says: '/nowhere.cert.json' },
];

describe.each(COMMANDS)('$bin $args', ({ folder, bin, args, status, says }) => {
  /** The package as it is in a clone after `npm ci`, as far from the root as `packages` are. */
  const unbuilt = join(root, '.reports', `unbuilt-${folder}`);
  const own = join(root, 'packages', folder);
  beforeAll(() => {
    rmSync(unbuilt, { recursive: true, force: true });
    mkdirSync(unbuilt, { recursive: true });
    cpSync(join(own, 'bin'), join(unbuilt, 'bin'), { recursive: true });
    cpSync(join(own, 'package.json'), join(unbuilt, 'package.json'));
    symlinkSync(join(own, 'src'), join(unbuilt, 'src'));
  });
  afterAll(() => rmSync(unbuilt, { recursive: true, force: true }));

  it.each([
    ['from source', unbuilt],
    ['as it is built', own],
  ])('runs %s, from any folder', (_, place) => {
    expect(existsSync(join(place, 'dist'))).toBe(place === own);
    const ran = spawnSync(process.execPath, [join(place, 'bin', bin), ...args], { cwd: '/', encoding: 'utf8' });
    expect([ran.status, `${ran.stdout}${ran.stderr}`]).toEqual([status, expect.stringContaining(says)]);
  });

  it('is in git and executable, as npm links only what is there', () => {
    const { stdout } = spawnSync('git', ['ls-files', '--stage', 'bin'], { cwd: own, encoding: 'utf8' });
    expect(stdout).toMatch(new RegExp(`^100755 .*\\tbin/${bin}\\n$`));
    const manifest = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'));
    expect(Object.values(manifest.bin)).toEqual([`./bin/${bin}`]);
  });
});

/** A third-party author's day: the packages come packed, as from a registry, and everything happens in a folder outside this repository. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { root, run } from './command.ts';
import { npmInstall, startFrom } from './install.ts';

const mine = join(inject('place'), 'mine');

/** Every file below a folder with its content, what npm and the build make aside. */
async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !/^(node_modules|dist)\/|^package-lock/.test(path));
  return Object.fromEntries(
    await Promise.all(files.map(async (path) => [path, await readFile(join(folder, path), 'utf8')])),
  );
}

beforeAll(async () => {
  const cli = join(root, 'packages', 'cli', 'dist', 'cli.js');
  await run(inject('place'), process.execPath, cli, 'plugin', 'new', 'cert-plugin-mine', '--dir', 'mine');
  // The packages are not in a registry yet: their tarballs stand in for the versions that the template names.
  const manifest = JSON.parse(await readFile(join(mine, 'package.json'), 'utf8'));
  for (const { name, path } of inject('tarballs')) manifest.devDependencies[name] = `file:${path}`;
  await writeFile(join(mine, 'package.json'), JSON.stringify(manifest, null, 2));
  startFrom(inject('base'), mine);
  await npmInstall(mine);
});

const cert = (...args: string[]) => run(mine, join('node_modules', '.bin', 'cert'), ...args);
const small = ['--device', 'tfjs', '--limit', '30', '--epochs', '2', '--batch-size', '10', '--attack-restarts', '0'];

describe('cert plugin new', () => {
  it('makes a package that is type-checked and whose tests pass at once', async () => {
    const { stdout } = await run(mine, 'npm', 'test');
    expect(stdout).toMatch(/Tests\s+\d+ passed/);
    expect(stdout).not.toContain('failed');
  });

  it('makes a plug-in that trains and is evaluated', async () => {
    await cert('train', '--plugin', '.', '--model', 'mine', '--method', 'mine', ...small, '--out', 'run');
    const { stdout } = await cert(
      'eval',
      'run',
      '--attack-restarts',
      '0',
      '--limit',
      '5',
      '--methods',
      'ibp,mine',
      '--json',
      '--plugin',
      '.',
    );
    expect(Object.keys(JSON.parse(stdout).methods)).toEqual(['ibp', 'mine']);
  });

  it('is in the packed command, with the same files', async () => {
    await cert('plugin', 'new', 'cert-plugin-mine', '--dir', 'again');
    const { 'package.json': again, ...files } = await contents(join(mine, 'again'));
    const { 'package.json': _changed, ...all } = await contents(mine);
    expect(Object.keys(files)).toHaveLength(9);
    for (const [path, text] of Object.entries(files)) expect(all[path]).toBe(text);
    expect(JSON.parse(again!).version).toBe('0.1.0');
  });

  it('a rule made unsound is caught by the test that came with it', async () => {
    const file = join(mine, 'src', 'absolute.ts');
    const right = await readFile(file, 'utf8');
    await writeFile(
      file,
      right.replace('const most = tf.maximum(tf.neg(lower), upper);', 'const most = tf.abs(center);'),
    );
    const suite = ['vitest', 'run', '-t', 'ibp: contains random points'];
    const failed = await run(mine, 'npx', ...suite).catch(({ stdout, stderr }) => stdout + stderr);
    expect(failed).toMatch(/node "absolute1".*lies outside the bounds .*, by .*, at the point/);
    await writeFile(file, right);
  });
});

describe('examples/bound-plugin, installed', () => {
  it('is found by its name, beside another plug-in', async () => {
    const options = [
      '--plugin',
      '.',
      '--plugin',
      'cert-plugin-zonotope',
      '--model',
      'pooled-mlp',
      '--method',
      'zonotope',
    ];
    const { stdout } = await cert('train', ...options, ...small, '--out', 'both');
    expect(stdout).toContain('verified error (ZONOTOPE)');
    const { plugins } = JSON.parse(await readFile(join(mine, 'both', 'config.json'), 'utf8'));
    expect(plugins).toEqual([
      { name: 'cert-plugin-mine', module: mine, version: '0.1.0' },
      { name: 'cert-plugin-zonotope', module: 'cert-plugin-zonotope', version: '0.1.0' },
    ]);
  });

  it('is refused by a command that is installed elsewhere, as it would load a second TensorFlow.js', async () => {
    const installed = join(mine, 'node_modules/@cert/cli/dist/cli.js');
    const elsewhere = run(root, process.execPath, installed, 'plugin', 'show', join(root, 'examples/bound-plugin'));
    await expect(elsewhere).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/loads a second copy of @cert\/core: .*peerDependencies/s),
    });
  });
});

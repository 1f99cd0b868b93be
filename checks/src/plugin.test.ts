/** A stranger's day: the packages come packed, as from a registry, and everything happens in a folder outside this repository. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const HOUR = 3_600_000;

/** Without what the npm that runs this test tells its scripts, and without colors, which continuous integration asks for. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(?!config_(registry|cache|userconfig)$)|FORCE_COLOR$)/.test(name),
    ),
  ),
  NO_COLOR: '1',
};
const run = (cwd: string, command: string, ...args: string[]) =>
  promisify(execFile)(command, args, { cwd, env, timeout: HOUR, maxBuffer: 2 ** 26 });

let place: string;
let mine: string;
let tarballs: { readonly name: string; readonly filename: string }[];

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
  place = await realpath(await mkdtemp(join(tmpdir(), 'cert-stranger-')));
  mine = join(place, 'mine');
  const packages = (await readdir(join(root, 'packages'))).map((name) => `./packages/${name}`);
  const packed = await run(
    root,
    'npm',
    'pack',
    '--json',
    '--pack-destination',
    place,
    ...packages,
    './examples/bound-plugin',
  );
  tarballs = JSON.parse(packed.stdout);
  const cli = join(root, 'packages', 'trainer', 'dist', 'cli.js');
  await run(place, process.execPath, cli, 'plugin', 'new', 'cert-plugin-mine', '--dir', 'mine');
  // The packages are not in a registry yet: their tarballs stand in for the versions that the template names.
  const manifest = JSON.parse(await readFile(join(mine, 'package.json'), 'utf8'));
  for (const { name, filename } of tarballs) manifest.devDependencies[name] = `file:${join(place, filename)}`;
  await writeFile(join(mine, 'package.json'), JSON.stringify(manifest, null, 2));
  await run(mine, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund');
}, HOUR);
afterAll(() => rm(place, { recursive: true, force: true }));

const cert = (...args: string[]) => run(mine, 'npx', 'cert', ...args);
const small = ['--device', 'tfjs', '--limit', '30', '--epochs', '2', '--batch-size', '10', '--attack-restarts', '0'];

describe('cert plugin new', { timeout: HOUR }, () => {
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

describe('examples/bound-plugin, installed', { timeout: HOUR }, () => {
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
    const elsewhere = execFileResult(
      run(
        root,
        process.execPath,
        join(mine, 'node_modules/@cert/trainer/dist/cli.js'),
        'plugin',
        'show',
        join(root, 'examples/bound-plugin'),
      ),
    );
    expect(await elsewhere).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/loads a second @tensorflow\/tfjs: .*peerDependencies/s),
    });
  });
});

/** The exit status and what was printed of a process that may fail. */
const execFileResult = (process: Promise<{ stdout: string; stderr: string }>) =>
  process.then(
    (done) => ({ code: 0, ...done }),
    (failed: { code: number; stdout: string; stderr: string }) => failed,
  );

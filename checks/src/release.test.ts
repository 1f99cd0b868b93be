/** The next release, tried out on a copy: versions, ranges, changelogs, tarballs. Nothing is published. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import parse from '@changesets/parse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

const { workspaces }: { workspaces: string[] } = readJson(join(root, 'package.json'));
/** Every workspace, by its path from the root. */
const folders = workspaces.flatMap((pattern) => {
  if (!pattern.endsWith('/*')) return [pattern];
  const parent = pattern.slice(0, -2);
  return readdirSync(join(root, parent)).map((name) => `${parent}/${name}`);
});
const published = folders.filter((folder) => folder.startsWith('packages/'));
const names = published.map((folder) => folder.replace('packages', '@cert'));

const changesets = readdirSync(join(root, '.changeset'))
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name) => ({ name, ...parse(readFileSync(join(root, '.changeset', name), 'utf8')) }));

/** The version that all packages have. */
const version: string = readJson(join(root, 'packages/core/package.json')).version;

const STEPS = ['major', 'minor', 'patch'];

/** Semantic versioning by hand: a step counts one number up and sets those behind it to 0. */
function after(current: string, steps: readonly string[]): string {
  const first = Math.min(...steps.map((step) => STEPS.indexOf(step)));
  const numbers = current.split('.').map(Number);
  return numbers.map((n, i) => (i < first ? n : i === first ? n + 1 : 0)).join('.');
}

/** Where no change waits for a release, one is made up. */
const example = {
  name: 'example.md',
  summary: 'An example.',
  releases: [{ name: '@cert/bounds', type: 'patch' }],
};
const pending = changesets.length > 0 ? changesets : [example];
const next = after(
  version,
  pending.flatMap(({ releases }) => releases.map(({ type }) => type)),
);

describe('every changeset', () => {
  it.each(pending)('$name can be read and names packages that exist', ({ summary, releases }) => {
    expect(summary.length).toBeGreaterThan(10);
    expect(releases.length).toBeGreaterThan(0);
    for (const release of releases) expect(names).toContain(release.name);
  });

  it('leaves 1.0.0 to a decision of its own: before it, what breaks is minor (docs/versions.md)', () => {
    const major = changesets.filter(({ releases }) => releases.some(({ type }) => type === 'major'));
    if (version.startsWith('0.')) expect(major.map(({ name }) => name)).toEqual([]);
  });
});

let copy: string;
/** Commands find the tools of this repository. They have no network, and no settings of the npm or git that called this test. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|git_|force_color$)/i.test(name))),
  PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter),
  NO_COLOR: '1',
  npm_config_offline: 'true',
};
const run = (command: string, ...args: string[]) =>
  promisify(execFile)(command, args, { cwd: copy, env, shell: process.platform === 'win32' });

/** What a release reads: manifests, changesets, changelogs, and what goes into the tarballs. */
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'cert-release-'));
  const parts = ['package.json', 'CHANGELOG.md', 'README.md', 'LICENSE', 'dist', 'templates'];
  const paths = ['package.json', 'package-lock.json', 'biome.json', '.gitignore', '.npmrc', '.changeset'];
  for (const path of [...paths, ...folders.flatMap((folder) => parts.map((part) => join(folder, part)))]) {
    if (existsSync(join(root, path))) await cp(join(root, path), join(copy, path), { recursive: true });
  }
  if (changesets.length === 0) {
    const { name, type } = example.releases[0]!;
    await writeFile(join(copy, '.changeset', example.name), `---\n'${name}': ${type}\n---\n\n${example.summary}\n`);
  }
  // A history of its own: what this clone has of the branch main does not matter.
  await run('git', 'init', '--quiet', '--initial-branch=main');
  await run('git', 'add', '--all');
  const author = ['-c', 'user.name=check', '-c', 'user.email=check@localhost', '-c', 'commit.gpgsign=false'];
  await run('git', ...author, 'commit', '--quiet', '--message=now');
});
afterAll(() => rm(copy, { recursive: true, force: true }));

describe('a release', () => {
  it('is planned: every package takes the same step', async () => {
    await run('changeset', 'status', '--output=plan.json');
    const plan: { releases: { name: string; type: string; newVersion: string }[] } = readJson(join(copy, 'plan.json'));
    await rm(join(copy, 'plan.json'));
    // Private packages are listed too, with no step: what they depend on changes.
    const planned = plan.releases
      .filter(({ type }) => type !== 'none')
      .map(({ name, newVersion }) => [name, newVersion]);
    expect(planned.sort()).toEqual(names.map((name) => [name, next]).sort());
  });

  it('changes versions, ranges and the lock file, and nothing else', async () => {
    const before = new Map(folders.map((folder) => [folder, readFileSync(join(copy, folder, 'package.json'), 'utf8')]));
    await run('npm', 'run', 'release:version');
    for (const [folder, text] of before) {
      const own = published.includes(folder) ? text.replace(`"version": "${version}"`, `"version": "${next}"`) : text;
      const expected = own.replaceAll(/("@cert\/\w+"): "\^[\d.]+"/g, `$1: "^${next}"`);
      expect(await readFile(join(copy, folder, 'package.json'), 'utf8'), folder).toBe(expected);
    }
    const { packages } = readJson(join(copy, 'package-lock.json'));
    for (const folder of folders) {
      const manifest = readJson(join(copy, folder, 'package.json'));
      const { dependencies, devDependencies, peerDependencies } = manifest;
      expect(packages[folder], folder).toMatchObject({
        version: manifest.version,
        ...(dependencies && { dependencies }),
        ...(devDependencies && { devDependencies }),
        ...(peerDependencies && { peerDependencies }),
      });
    }
    const all = (lock: { packages: object }) => Object.keys(lock.packages).sort();
    expect(all({ packages })).toEqual(all(readJson(join(root, 'package-lock.json'))));
    expect(readdirSync(join(copy, '.changeset')).sort()).toEqual(['README.md', 'changelog.cjs', 'config.json']);
  });

  it('has an entry in the CHANGELOG of every package, with the text of each of its changesets once', async () => {
    for (const [i, folder] of published.entries()) {
      const text = await readFile(join(copy, folder, 'CHANGELOG.md'), 'utf8');
      expect(text.match(/^# .*$/m)?.[0], folder).toBe(`# ${names[i]}`);
      expect(text.match(/^## .*$/m)?.[0], folder).toBe(`## ${next}`);
      expect(text, folder).not.toMatch(/Updated dependencies|^- [0-9a-f]{7,}: /m);
      for (const { summary, releases } of pending) {
        const times = releases.some(({ name }) => name === names[i]) ? 1 : 0;
        expect(text.split(`\n- ${summary.split('\n')[0]}\n`).length - 1, folder).toBe(times);
      }
    }
  });

  it('packs code, types, README, LICENSE and CHANGELOG of every package, and no sources', async () => {
    const { stdout } = await run('npm', 'pack', '--dry-run', '--json', ...published.map((folder) => `./${folder}`));
    const tarballs: { name: string; version: string; files: { path: string }[] }[] = JSON.parse(stdout);
    expect(tarballs.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const { name, version, files } of tarballs) {
      expect(version, name).toBe(next);
      const paths = files.map(({ path }) => path);
      const needed = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts'];
      expect(paths, name).toEqual(expect.arrayContaining(needed));
      expect(
        paths.filter((path) => !needed.includes(path) && !/^(dist|templates)\//.test(path)),
        name,
      ).toEqual([]);
    }
  });
});

describe('set-repository', () => {
  const script = join(root, 'scripts/set-repository.js');
  const manifest = { name: '@cert/one', version: '1.0.0' };
  let place: string;
  const fill = (repository: string) =>
    promisify(execFile)(process.execPath, [script], { cwd: place, env: { ...env, GITHUB_REPOSITORY: repository } });
  const write = async (content: object) => {
    place = await mkdtemp(join(copy, 'repository-'));
    await mkdir(join(place, 'packages/one'), { recursive: true });
    await writeFile(join(place, 'packages/one/package.json'), JSON.stringify(content));
  };
  const read = () => readJson(join(place, 'packages/one/package.json'));

  it('names the repository of the running workflow, and does so again', async () => {
    await write(manifest);
    await fill('someone/cert');
    const filled = read();
    expect(filled).toEqual({
      ...manifest,
      homepage: 'https://github.com/someone/cert/tree/main/packages/one#readme',
      bugs: 'https://github.com/someone/cert/issues',
      repository: { type: 'git', url: 'git+https://github.com/someone/cert.git', directory: 'packages/one' },
    });
    await fill('someone/cert');
    expect(read()).toEqual(filled);
  });

  it.each([['another'], [{ url: 'another' }]])('refuses a package of another repository: %j', async (repository) => {
    await write({ ...manifest, repository });
    await expect(fill('someone/cert')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/one.package\.json has the repository "another".*\nRemove "repository" there/),
    });
    expect(read()).toEqual({ ...manifest, repository });
  });

  it('refuses to run where there is no such workflow', async () => {
    await write(manifest);
    await expect(fill('')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Packages are published by the workflow release.yml'),
    });
    expect(read()).toEqual(manifest);
  });
});

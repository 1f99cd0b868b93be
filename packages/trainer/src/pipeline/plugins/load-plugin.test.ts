import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadPlugin } from './load-plugin.js';

let place: string;
/** Writes files below the folder of this test. */
async function write(files: { readonly [path: string]: string | object }): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(place, path)), { recursive: true });
    await writeFile(join(place, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
}
beforeAll(async () => {
  place = await realpath(await mkdtemp(join(tmpdir(), 'cert-plugin-')));
  const entry = { type: 'module', exports: './main.js' };
  await write({
    'package.json': { name: 'place', version: '3.1.0', type: 'module' },
    'file.js': 'export default { name: "file" };',
    'named.js': 'export const plugin = { name: "named" };',
    'folder/package.json': { name: 'folder', version: '1.2.3', ...entry },
    'folder/main.js': 'export default { name: "folder" };',
    'old/package.json': { name: 'old', type: 'module', main: 'lib.js' },
    'old/lib.js': 'export default { name: "old" };',
    'unbuilt/package.json': { name: 'unbuilt', exports: './dist/index.js' },
    'node_modules/installed/package.json': { name: 'installed', version: '0.4.0', ...entry },
    'node_modules/installed/main.js': 'export default { name: "installed" };',
    'node_modules/empty/package.json': { name: 'empty', ...entry },
    'throws.js': 'throw new Error("no luck");',
    'syntax.js': 'export default {',
    'other.js': 'export const rules = {}; export const method = {};',
    'form.js': 'export default { name: "form", models: 7 };',
  });
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('loadPlugin', () => {
  it.each([
    ['./file.js', { name: 'file' }, '3.1.0'],
    ['./named.js', { name: 'named' }, '3.1.0'],
    ['./folder', { name: 'folder' }, '1.2.3'],
    ['./old', { name: 'old' }, null],
  ])('loads %s and says where it is', async (module, plugin, version) => {
    expect(await loadPlugin(module, place)).toEqual({ plugin, module: join(place, module), version });
  });

  it('loads an installed package by its name, from the given folder', async () => {
    const found = await loadPlugin('installed', place);
    expect(found).toEqual({ plugin: { name: 'installed' }, module: 'installed', version: '0.4.0' });
  });

  it.each([
    ['./nothing', 'missing-package', /nothing does not exist\.$/, 'Give the folder or file'],
    ['nothing', 'missing-package', /^The plug-in "nothing" was not found from /, 'npm install nothing'],
    ['./unbuilt', 'missing-package', /^The plug-in in .*unbuilt has no /, 'npm run build'],
    [
      'empty',
      'missing-package',
      /^The plug-in "empty" was not found from .*main\.js/,
      'Build or install the plug-in again.',
    ],
    ['./throws.js', 'bad-argument', /^The plug-in \.\/throws\.js failed to load: no luck$/, 'Correct the plug-in'],
    ['./syntax.js', 'bad-argument', /^The plug-in \.\/syntax\.js failed to load: /, 'Correct the plug-in'],
    ['./other.js', 'bad-argument', /exports method, rules, but neither a default nor "plugin".$/, 'export default {'],
    ['./form.js', 'bad-argument', /^\.\/form\.js: models is a number\.$/, 'Give an object'],
  ])('%s is an error with a cure', async (module, code, problem, cure) => {
    await expect(loadPlugin(module, place)).rejects.toMatchObject({
      code,
      problem: expect.stringMatching(problem),
      cure: expect.stringContaining(cure),
    });
  });

  it.each([
    ['@tensorflow/tfjs-core', '3.21.0', 'needs another major version of @tensorflow/tfjs-core: 3.21.0 in '],
    ['@tensorflow/tfjs-core', '4.0.0', 'loads a second copy of @tensorflow/tfjs-core: 4.0.0 in '],
    ['@cert/core', '0.0.0', 'loads a second copy of @cert/core: 0.0.0 in '],
  ])('refuses a plug-in that brings %s %s of its own', async (name, version, problem) => {
    const folder = `copies/${name.replaceAll(/\W/g, '')}-${version}`;
    await write({
      [`${folder}/package.json`]: { name: 'copy', type: 'module', exports: './main.js' },
      [`${folder}/main.js`]: 'export default { name: "copy" };',
      [`${folder}/node_modules/${name}/package.json`]: { name, version },
    });
    await expect(loadPlugin(`./${folder}`, place)).rejects.toMatchObject({
      code: 'bad-argument',
      problem: expect.stringContaining(problem),
      cure: expect.stringContaining('peerDependencies'),
    });
  });
});

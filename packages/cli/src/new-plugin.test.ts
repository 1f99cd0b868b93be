import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newPlugin } from './new-plugin.js';

// That what it makes builds, passes its tests and trains is checked with packed packages, in checks/src/plugin.test.ts.
let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-new-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('newPlugin', () => {
  it('writes every file, with the names filled in', async () => {
    const folder = join(place, 'a');
    const made = await newPlugin('@me/cert-plugin-mine', folder);
    expect(made).toMatchObject({ folder, short: 'mine' });
    expect(made.files).toEqual([
      ...[
        '.gitignore',
        'README.md',
        'package.json',
        'src/absolute.ts',
        'src/index.ts',
        'src/method.ts',
        'src/model.ts',
      ],
      ...['test/plugin.test.ts', 'tsconfig.build.json', 'tsconfig.json'],
    ]);
    for (const path of made.files) expect(await readFile(join(folder, path), 'utf8')).not.toContain('{{');
    const { name, devDependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
    expect([name, devDependencies['@cert/core']]).toEqual(['@me/cert-plugin-mine', `^${version}`]);
    expect(await readFile(join(folder, 'src/index.ts'), 'utf8')).toContain("boundMethods: { 'mine': method }");
  });

  it.each([
    ['Mine', 'The name of the plug-in is "Mine".'],
    ['../up', 'The name of the plug-in is "../up".'],
    ['@me/', 'The name of the plug-in is "@me/".'],
    ['cert-plugin-fast', 'The name "fast" is already built in.'],
    ['mlp', 'The name "mlp" is already built in.'],
  ])('refuses %s', async (name, problem) => {
    await expect(newPlugin(name, join(place, 'b'))).rejects.toMatchObject({ code: 'bad-argument', problem });
    expect(await readdir(place)).not.toContain('b');
  });

  it('leaves a folder alone that holds something', async () => {
    await writeFile(join(place, 'letter.txt'), 'text');
    await expect(newPlugin('mine', place)).rejects.toMatchObject({
      problem: `The folder ${place} is not empty.`,
      cure: 'Choose another folder with --dir.',
    });
  });
});

/** Every TypeScript block of every README and of the documents is type-checked and run, as a reader would run it. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const place = join(root, 'checks', '.blocks');

const readmes = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
  ...['packages', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name, 'README.md')),
  ),
].filter((file) => existsSync(join(root, file)));

const blocks = readmes.flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, code], i) => ({
    title: `${file}, block ${i + 1}`,
    path: join(place, `${file.replaceAll(/[/\\]/g, '-').replace(/-?README\.md$|\.md$/, '') || 'root'}-${i + 1}.ts`),
    code: code!,
  })),
);

/** Blocks that declare an op of their own are a project each, since the others do not know it; the rest are one. */
const projects = [
  blocks.filter(({ code }) => !code.includes('declare module')),
  ...blocks.filter(({ code }) => code.includes('declare module')).map((block) => [block]),
];

beforeAll(async () => {
  await mkdir(place, { recursive: true });
  for (const { path, code } of blocks) await writeFile(path, `${code}\nexport {};\n`);
  for (const [i, project] of projects.entries()) {
    const include = project.map(({ path }) => basename(path));
    await writeFile(join(place, `tsconfig.${i}.json`), JSON.stringify({ extends: '../tsconfig.json', include }));
  }
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('every package and example has a README, every package an example in it', () => {
  const folders = ['packages', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name)),
  );
  expect(folders.filter((folder) => !readmes.includes(join(folder, 'README.md')))).toEqual([]);
  const withBlocks = new Set(blocks.map(({ title }) => title.split(',')[0]));
  expect(readmes.filter((file) => file.startsWith('packages') && !withBlocks.has(file))).toEqual([]);
});

it('every block type-checks', async () => {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const i of projects.keys()) {
    const result = run(process.execPath, [tsc, '-p', join(place, `tsconfig.${i}.json`)], { cwd: root });
    expect(await result.then(() => '').catch(({ stdout }) => stdout)).toBe('');
  }
});

describe('every block runs', () => {
  for (const { title, path } of blocks) {
    it(title, async () => {
      const { stderr } = await run(process.execPath, ['--import', 'tsx', '--conditions=@cert/source', path], {
        cwd: place,
      });
      expect(stderr.replace(/=+\nHi, looks like.*?=+/s, '').trim()).toBe('');
    });
  }
});

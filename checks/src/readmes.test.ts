/** Every TypeScript block of every README and of the documents is type-checked and run, and prints what it says. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Document, folders, guides, readmes, root, slug } from './markdown.js';
import type { Outcome } from './outcome.js';
import { place, programsOf, toJavaScript, typeErrors } from './programs.js';
import { missingLine, sameOutput } from './same-output.js';

const run = promisify(execFile);
const documents = [...readmes, ...guides].map((document) => ({ document, programs: programsOf(document) }));
const runner = join(place, 'run-programs.mjs');

beforeAll(async () => {
  await mkdir(place, { recursive: true });
  await writeFile(runner, toJavaScript(await readFile(join(root, 'checks', 'src', 'run-programs.ts'), 'utf8')));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Runs the programs of a document in a process of their own, in a folder of their own. */
async function outcomesOf(document: Document): Promise<{ outcomes: readonly Outcome[]; stderr: string }> {
  const folder = join(place, slug(document));
  const programs = programsOf(document);
  for (const { path, code } of programs) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.mjs`, toJavaScript(code));
  }
  const results = join(folder, 'results.json');
  const args = [runner, results, ...programs.map(({ path }) => `${path}.mjs`)];
  const { FORCE_COLOR: _, ...env } = process.env;
  const { stderr } = await run(process.execPath, args, { cwd: folder, env: { ...env, NO_COLOR: '1' } });
  return { outcomes: JSON.parse(await readFile(results, 'utf8')), stderr };
}

it('every package and example has a README, every package an example in it', () => {
  const files = readmes.map(({ file }) => file);
  expect(folders.filter((folder) => !files.includes(join(folder, 'README.md')))).toEqual([]);
  const bare = documents.filter(
    ({ document, programs }) => document.file.startsWith('packages') && programs.length === 0,
  );
  expect(bare.map(({ document }) => document.file)).toEqual([]);
});

it('every block type-checks', () => {
  expect(typeErrors(documents.flatMap(({ programs }) => programs))).toBe('');
});

for (const { document, programs } of documents.filter((each) => each.programs.length > 0)) {
  describe(document.file, () => {
    let outcomes: readonly Outcome[];
    let stderr: string;
    beforeAll(async () => {
      ({ outcomes, stderr } = await outcomesOf(document));
    }, 180_000);

    for (const [i, { title, output }] of programs.entries()) {
      it(`${title} runs, and prints what it says`, () => {
        const { error, documented, printed } = outcomes[i]!;
        expect(error).toBeNull();
        // A comment behind a statement that prints is what it prints; other words get a line of their own.
        expect(documented.filter((each) => !sameOutput(each.comment, each.printed))).toEqual([]);
        expect(missingLine(output, printed.join('\n')), printed.join('\n')).toBeUndefined();
      });
    }

    it('warns of nothing', () => {
      expect(stderr.replace(/=+\nHi, looks like.*?=+/s, '').trim()).toBe('');
    });
  });
}

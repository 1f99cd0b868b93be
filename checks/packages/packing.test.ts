/** What npm would publish: complete, nothing too much, and well described. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { filterProblems } from '@arethetypeswrong/core/problems';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { describe, expect, inject, it } from 'vitest';
import { root } from './command.ts';
import { importedPackages } from './imports.ts';
import { ours } from './tarball.ts';

for (const { name, path, files } of ours(inject('tarballs'))) {
  describe(name, () => {
    const folder = join(root, 'packages', name.replace('@cert/', ''));

    it('holds what was built, its README and its licence, and nothing else', () => {
      const paths = files.map((file) => file.path);
      expect(paths).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'dist/index.js']));
      const known =
        /^(package\.json|README\.md|LICENSE(-APACHE)?|CHANGELOG\.md|certificate\.schema\.json|dist\/(?:\w+\/)?[\w-]+\.(js|d\.ts)|bin\/[\w-]+\.js|templates\/.+)$/;
      expect(paths.filter((file) => !known.test(file))).toEqual([]);
    });

    it('passes publint', async () => {
      const { buffer } = new Uint8Array(await readFile(path));
      const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
      expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
    });

    it('passes attw', async () => {
      const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(await readFile(path))));
      if (!analysis.types) throw new Error(`${name} has no types.`);
      // The packages are ES modules alone: `require` finds them only from Node 20.19 on, and TypeScript's oldest resolution never.
      const problems = (['node16-esm', 'bundler'] as const).flatMap((resolutionKind) =>
        filterProblems(analysis, { resolutionKind }),
      );
      expect(problems).toEqual([]);
    });

    it('has what its code and its types import among its dependencies', async () => {
      const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
      const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
      for (const file of await readdir(join(folder, 'dist'), { recursive: true })) {
        if (!/\.(js|d\.ts)$/.test(file)) continue;
        const imports = importedPackages(await readFile(join(folder, 'dist', file), 'utf8'));
        expect(
          imports.filter((imported) => !declared.includes(imported)),
          `imported by ${name}/dist/${file}, but neither a dependency nor a peer`,
        ).toEqual([]);
      }
    });
  });
}

/** Every package is of use alone: an empty folder, that one package, its peers, and the first block of its README. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { root, run } from './command.ts';
import { compile } from './compile.ts';
import { importedPackages } from './imports.ts';
import { copiesOf, install, installed, startFrom } from './install.ts';
import { type FirstSteps, firstSteps } from './readme.ts';
import { differences, measure, parseTable, type Sizes, sizeTable } from './sizes.ts';
import { ours } from './tarball.ts';
import { warnings } from './warnings.ts';

const [place, base, tarballs, nodes] = [inject('place'), inject('base'), inject('tarballs'), inject('nodes')];
const sizes: Sizes[] = [];

/** What these tests read of a package.json. */
interface Manifest {
  readonly dependencies?: { readonly [name: string]: string };
  readonly peerDependencies?: { readonly [name: string]: string };
  readonly peerDependenciesMeta?: { readonly [name: string]: { readonly optional?: boolean } };
}

for (const tarball of ours(tarballs)) {
  const { name } = tarball;
  describe.concurrent(`${name} alone`, () => {
    const folder = join(place, name.replace('@cert/', 'alone-'));
    const file = join(folder, 'block.ts');
    let manifest: Manifest;
    let first: FirstSteps;
    let places: readonly string[];
    const read = (path: string) => readFile(join(folder, 'node_modules', path), 'utf8');
    const manifestOf = async (of: string): Promise<Manifest> => JSON.parse(await read(join(of, 'package.json')));

    const isOptional = (peer: string) => manifest.peerDependenciesMeta?.[peer]?.optional === true;

    /** Our packages that one of them depends on, itself included. */
    async function closure(of: string): Promise<readonly string[]> {
      const { dependencies } = await manifestOf(of);
      const direct = Object.keys(dependencies ?? {}).filter((dependency) => dependency.startsWith('@cert/'));
      return [...new Set([of, ...(await Promise.all(direct.map(closure))).flat()])];
    }

    beforeAll(async () => {
      startFrom(base, folder);
      await install(folder, tarballs, [name]);
      places = await installed(folder);
      sizes.push(await measure(folder, tarball, places));
      manifest = await manifestOf(name);
      first = firstSteps(await read(`${name}/README.md`));
      const optional = first.installs.filter(isOptional);
      if (optional.length > 0) await install(folder, tarballs, [name], optional);
      await writeFile(file, first.code);
    });

    it('brings what it depends on, and one copy of each', async () => {
      const mine = places.filter((at) => at.includes('node_modules/@cert/'));
      const expected = (await closure(name)).map((dependency) => `node_modules/${dependency}`);
      expect(mine.toSorted()).toEqual(expected.toSorted());
      for (const single of ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu', '@cert/core']) {
        const expectedCopies = name === '@cert/check' ? [] : [`node_modules/${single}`];
        expect(copiesOf(places, single), `copies of ${single}`).toEqual(expectedCopies);
      }
      expect(copiesOf(places, '@tensorflow/tfjs'), 'the union package').toEqual([]);
    });

    it('brings no optional peer', () => {
      for (const peer of Object.keys(manifest.peerDependencies ?? {}).filter(isOptional)) {
        expect(copiesOf(places, peer), `${peer} is an optional peer`).toEqual([]);
      }
    });

    it('its README installs what its first block imports, and nothing that does not belong to it', () => {
      const { code, installs } = first;
      const imports = importedPackages(code);
      expect(imports, `the first block of the README of ${name} does not import ${name}`).toContain(name);
      expect(
        imports.filter((imported) => !installs.includes(imported)),
        `the first block of the README of ${name} imports packages that its first "npm install" line does not name`,
      ).toEqual([]);
      const { dependencies, peerDependencies } = manifest;
      const own = Object.keys({ [name]: '', ...dependencies, ...peerDependencies });
      expect(
        installs.filter((installed) => !own.includes(installed)),
        `the first "npm install" line of the README of ${name} names packages that are neither its dependencies nor its peers`,
      ).toEqual([]);
    });

    it('the first block of its README type-checks', () => {
      expect(compile(file, 'NodeNext')).toBe('');
    });

    for (const { title, path } of nodes) {
      it.skipIf(path === null)(`the first block of its README runs on ${title}`, async () => {
        const { stderr } = await run(folder, path!, 'block.js');
        expect(warnings(stderr)).toBe('');
      });
    }
  });
}

it('the sizes in docs/sizes.md are those of today', async () => {
  const table = sizeTable(sizes);
  await writeFile(join(place, 'sizes.md'), table);
  const documented = await readFile(join(root, 'docs', 'sizes.md'), 'utf8');
  expect(differences(parseTable(documented), parseTable(table)), `The table is now:\n${table}`).toEqual([]);
});

import { copyFileSync, linkSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import type { Tarball } from './tarball.ts';

/**
 * Installs packages into a folder as a user of npm would. They are not in a registry yet: the tarballs of those that they depend on stand
 * in, as `overrides`, and are installed only if something depends on them.
 *
 * @param others names of further packages, from the registry
 */
export async function install(
  folder: string,
  tarballs: readonly Tarball[],
  names: readonly string[],
  others: readonly string[] = [],
) {
  const file = ({ name, path }: Tarball) => [name, `file:${path}`];
  const asked = tarballs.filter(({ name }) => names.includes(name));
  const manifest = {
    private: true,
    type: 'module',
    dependencies: { ...Object.fromEntries(asked.map(file)), ...Object.fromEntries(others.map((name) => [name, '*'])) },
    overrides: Object.fromEntries(tarballs.filter((tarball) => !asked.includes(tarball)).map(file)),
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  await npmInstall(folder, '--ignore-scripts');
}

/** `npm install` by a package.json that is there. */
export const npmInstall = (folder: string, ...options: readonly string[]) =>
  run(folder, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', ...options);

/**
 * Lets a folder begin with what is installed in another one, in hard links. What npm then installs there is what it would install
 * into an empty folder, as it takes away whatever nothing depends on; but 50 MB of TensorFlow.js need not be unpacked again.
 */
export function startFrom(base: string, folder: string) {
  mkdirSync(folder, { recursive: true });
  link(join(base, 'node_modules'), join(folder, 'node_modules'));
}

function link(from: string, to: string) {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) link(source, target);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    // npm writes its record of what is installed in place; everything else it replaces.
    else if (entry.name === '.package-lock.json') copyFileSync(source, target);
    else linkSync(source, target);
  }
}

/** What is installed in a folder: the places of all packages, such as `node_modules/@cert/core`. */
export async function installed(folder: string): Promise<readonly string[]> {
  const lock = JSON.parse(await readFile(join(folder, 'node_modules', '.package-lock.json'), 'utf8'));
  return Object.keys(lock.packages);
}

/** The places of the copies of a package. */
export const copiesOf = (places: readonly string[], name: string) =>
  places.filter((place) => place.endsWith(`node_modules/${name}`));

/** Once for all test files: the packages packed, the first of them installed into an empty folder, and the newest Node that is supported. */
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { install } from './install.ts';
import { type Node, supportedNodes } from './nodes.ts';
import { pack, type Tarball } from './tarball.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder for everything; it is outside the repository, and gone afterwards. */
    place: string;
    tarballs: readonly Tarball[];
    /** A folder in which npm installed @cert/core, and with it its peers. */
    base: string;
    nodes: readonly Node[];
  }
}

export default async function setUp({ provide }: TestProject) {
  const place = await realpath(await mkdtemp(join(tmpdir(), 'cert-packages-')));
  const base = join(place, 'base');
  const tarballs = await pack(place);
  const [nodes] = await Promise.all([supportedNodes(place), install(base, tarballs, ['@cert/core'])]);
  provide('place', place);
  provide('tarballs', tarballs);
  provide('base', base);
  provide('nodes', nodes);
  return async () => {
    process.stdout.write(`\n${await readFile(join(place, 'sizes.md'), 'utf8').catch(() => '')}`);
    await rm(place, { recursive: true, force: true });
  };
}

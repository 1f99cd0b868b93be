import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root, run } from './command.ts';

/** A package as npm would publish it. Sizes are in bytes. */
export interface Tarball {
  readonly name: string;
  /** Its path. */
  readonly path: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Packs every package, and the plug-in of the examples, into a folder. */
export async function pack(folder: string): Promise<Tarball[]> {
  const packages = (await readdir(join(root, 'packages'))).map((name) => `./packages/${name}`);
  const { stdout } = await run(
    root,
    'npm',
    'pack',
    '--json',
    '--pack-destination',
    folder,
    ...packages,
    './examples/bound-plugin',
  );
  const packed: (Omit<Tarball, 'path'> & { readonly filename: string })[] = JSON.parse(stdout);
  return packed.map(({ name, filename, size, unpackedSize, files }) => ({
    name,
    path: join(folder, filename),
    size,
    unpackedSize,
    files,
  }));
}

/** Those of our packages: all but the plug-in. */
export const ours = (tarballs: readonly Tarball[]) => tarballs.filter(({ name }) => name.startsWith('@cert/'));

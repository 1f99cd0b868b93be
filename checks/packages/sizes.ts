import { lstatSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'tsup';
import type { Tarball } from './tarball.ts';

/** What a package weighs, in bytes. */
export interface Sizes {
  readonly name: string;
  readonly packed: number;
  readonly unpacked: number;
  /** What its entry reaches of its own code, minified and compressed. */
  readonly code: number;
  /** How many packages npm installs beside it into an empty folder. */
  readonly dependencies: number;
  /** Theirs, unpacked. */
  readonly dependencySize: number;
}

/** @param places of what npm installed into the folder for this one package */
export async function measure(folder: string, tarball: Tarball, places: readonly string[]): Promise<Sizes> {
  const { name, size, unpackedSize } = tarball;
  return {
    name,
    packed: size,
    unpacked: unpackedSize,
    code: await codeSize(join(folder, 'node_modules', name, 'dist', 'index.js'), join(folder, 'minified')),
    dependencies: places.length - 1,
    dependencySize: sizeOf(join(folder, 'node_modules')) - unpackedSize,
  };
}

/** The code of a package is bundled as a bundler would, everything outside it left out. */
async function codeSize(entry: string, outDir: string): Promise<number> {
  const options = {
    format: 'esm',
    target: 'es2022',
    minify: true,
    splitting: false,
    silent: true,
    config: false,
  } as const;
  await build({ ...options, entry: [entry], outDir, external: [/^[^./]/] });
  return gzipSync(await readFile(join(outDir, 'index.js'))).length;
}

const sizeOf = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true })
    .map((entry) => [entry, join(folder, entry.name)] as const)
    .reduce((sum, [entry, path]) => sum + (entry.isDirectory() ? sizeOf(path) : lstatSync(path).size), 0);

const kilobytes = (bytes: number) => `${(bytes / 1e3).toFixed(1)} kB`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

const HEADER = ['package', 'packed', 'unpacked', 'minified, gzip', 'dependencies', 'their size'];

/** The sizes as a table of Markdown. */
export function sizeTable(sizes: readonly Sizes[]): string {
  const sorted = sizes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = sorted.map(({ name, packed, unpacked, code, dependencies, dependencySize }) => [
    `\`${name}\``,
    ...[packed, unpacked, code].map(kilobytes),
    String(dependencies),
    megabytes(dependencySize),
  ]);
  const widths = HEADER.map((title, i) =>
    Math.max(...[title, ...rows.map((row) => row[i]!)].map(({ length }) => length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |\n`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return line(HEADER) + line(rule) + rows.map(line).join('');
}

/** The numbers of such a table, wherever it stands in a text, by package. */
export const parseTable = (text: string): { readonly [name: string]: readonly number[] } =>
  Object.fromEntries(
    [...text.matchAll(/^\| `(\S+)` +\|(.+)\|$/gm)].map(([, name, cells]) => [
      name!,
      cells!.split('|').map((cell) => Number.parseFloat(cell)),
    ]),
  );

/** What sizes may differ by before the table is wrong, as fractions: ours change with the code, those of others when they release. */
const TOLERANCES = [0.2, 0.2, 0.2, 0.3, 0.3];

/** Where two tables do not agree, in words. */
export function differences(old: ReturnType<typeof parseTable>, now: ReturnType<typeof parseTable>): readonly string[] {
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names.flatMap((name) =>
    TOLERANCES.flatMap((tolerance, i) => {
      const [before = Number.NaN, after = Number.NaN] = [old[name]?.[i], now[name]?.[i]];
      const agree = Math.abs(after - before) <= tolerance * before;
      return agree ? [] : [`${name}, ${HEADER[i + 1]}: ${before} in docs/sizes.md, ${after} now`];
    }),
  );
}

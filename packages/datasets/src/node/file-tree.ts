import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError } from '@cert/core';

/** The files below a folder or in an archive. '/' stands between the parts of a path, and at the end of a folder's. */
export interface FileTree {
  /** Where it is, for messages. */
  readonly name: string;
  /** The names in each folder, sorted; the tree itself is ''. */
  readonly folders: ReadonlyMap<string, readonly string[]>;
  /** Differs when the files do. */
  readonly stamp: string;
  /** The content of a file. */
  read(path: string): Promise<Uint8Array>;
}

/**
 * The files below some subfolders of a folder, hidden ones left out. Its stamp is made of their paths, sizes and times of change.
 *
 * @param subfolders those that are not there are left out
 * @param depth how many folders deep to look
 * @throws CertError `bad-file` when the folder is not there or may not be read
 */
export async function folderTree(folder: string, subfolders: readonly string[], depth: number): Promise<FileTree> {
  const folders = new Map<string, string[]>();
  const hash = createHash('sha256');
  const walk = async (path: string, names: readonly string[], deeper: number): Promise<void> => {
    const found = await Promise.all(names.map((name) => stat(join(folder, path, name)).catch(() => undefined)));
    const list: string[] = [];
    folders.set(path, list);
    for (const [i, name] of names.entries()) {
      if (name.startsWith('.')) continue;
      if (found[i]?.isFile()) {
        list.push(name);
        hash.update(`${path}${name}\0${found[i].size}\0${found[i].mtimeMs}\0`);
      } else if (found[i]?.isDirectory()) {
        list.push(`${name}/`);
        if (deeper > 0) await walk(`${path}${name}/`, (await readdir(join(folder, path, name))).sort(), deeper - 1);
      }
    }
  };
  try {
    const names = (await readdir(folder)).sort();
    await walk(
      '',
      names.filter((name) => subfolders.includes(name)),
      depth,
    );
  } catch (cause) {
    throw new CertError(
      'bad-file',
      `${folder} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
      'Give an existing, readable folder.',
      { cause },
    );
  }
  return { name: folder, folders, stamp: hash.digest('hex'), read: (path) => readFile(join(folder, path)) };
}

/** The names of the folders directly in a folder of a tree. */
export const foldersIn = ({ folders }: FileTree, path: string): string[] =>
  (folders.get(path) ?? []).filter((name) => name.endsWith('/')).map((name) => name.slice(0, -1));

/** The names of the files directly in a folder of a tree. */
export const filesIn = ({ folders }: FileTree, path: string): string[] =>
  (folders.get(path) ?? []).filter((name) => !name.endsWith('/'));

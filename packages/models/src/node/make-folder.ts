import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CertError } from '@cert/core';

/**
 * Creates a folder and missing parent folders.
 *
 * @throws CertError `bad-file` if the folder cannot be created
 */
export async function makeFolder(folder: string): Promise<void> {
  const isFolder = (path: string) =>
    stat(path).then(
      (info) => info.isDirectory(),
      () => false,
    );
  /** Not `recursive`: Node then tries for ever where a folder that exists denies that it does, as /proc. */
  const make = async (path: string): Promise<void> => {
    if (await isFolder(path)) return;
    const parent = dirname(path);
    if (parent !== path) await make(parent);
    await mkdir(path).catch(async (cause: NodeJS.ErrnoException) => {
      // Another process may have made it in between.
      if (cause.code !== 'EEXIST' || !(await isFolder(path))) throw cause;
    });
  };
  try {
    await make(resolve(folder));
  } catch (cause) {
    throw new CertError(
      'bad-file',
      `The folder ${folder} cannot be created: ${cause instanceof Error ? cause.message : cause}.`,
      'Choose a path in a writable folder.',
      { cause },
    );
  }
}

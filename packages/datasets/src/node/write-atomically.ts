import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';

/**
 * Writes a file of the cache under a temporary name and renames it, so that the cache never holds a part of one.
 *
 * @param parts what the file holds, one after the other
 * @throws CertError `bad-file` when it cannot be written
 */
export async function writeAtomically(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await makeFolder(dirname(path));
    const file = await open(temporary, 'wx');
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw notWritten(path, cause);
  }
}

/** Makes a folder and those that it lies in. Not `recursive`: Node then tries for ever where a folder denies that it exists, as below /proc. */
async function makeFolder(folder: string): Promise<void> {
  const make = () =>
    mkdir(folder).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
    });
  await make().catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' || dirname(folder) === folder) throw cause;
    await makeFolder(dirname(folder));
    await make();
  });
}

const READ_ONLY = ['EACCES', 'EPERM', 'EROFS'];

/** The error for a file of the cache that could not be written. */
export function notWritten(path: string, cause: unknown): CertError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const problem = READ_ONLY.includes(code)
    ? `The cache folder ${dirname(path)} is read-only (${code}).`
    : `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`;
  return new CertError(
    'bad-file',
    problem,
    'Give a writable cache folder with the option cacheDir or the environment variable XDG_CACHE_HOME.',
    { cause },
  );
}

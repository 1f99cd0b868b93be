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
    await mkdir(dirname(path), { recursive: true });
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
    throw new CertError(
      'bad-file',
      `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`,
      'Give another cache folder (option cacheDir, or the variable XDG_CACHE_HOME).',
      { cause },
    );
  }
}

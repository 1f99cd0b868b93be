import { appendFile, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CertError } from '@cert/core';
import { isAlive } from './lock-file.js';

/** What a temporary file has behind the name of the file that was written. */
const ORPHAN = /^\.(\d+)\.tmp$/;

/**
 * Writes a file atomically, even if the process or the machine fails: a temporary file in the same folder is synchronised to disk, then
 * renamed. The folder must exist. A killed process may leave the temporary file `<path>.<process id>.tmp`; the next write removes that
 * file.
 *
 * @throws CertError `bad-file` if the path cannot be written; the old file is then unchanged
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const left = await readdir(dirname(path)).catch((): string[] => []);
  for (const name of left) {
    const pid = ORPHAN.exec(name.startsWith(`${basename(path)}.`) ? name.slice(basename(path).length) : '')?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(dirname(path), name), { force: true }).catch(() => {});
  }
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw notWritten(path, cause);
  }
  // The rename itself lasts only once the folder is on the disk; some systems cannot open folders, and then do without.
  const folder = await open(dirname(path), 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/**
 * Appends text to a file, which is created if missing. The folder must exist.
 *
 * @throws CertError `bad-file` if the file cannot be written; the file may then contain a part of the text
 */
export async function appendText(path: string, text: string): Promise<void> {
  await appendFile(path, text).catch((cause: unknown) => {
    throw notWritten(path, cause);
  });
}

/** What to do about errors of the system. */
const CURES: { readonly [code: string]: string } = {
  ENOSPC: 'Free space on the disk: it is full.',
  EDQUOT: 'Free space on the disk: its quota is exhausted.',
  EFBIG: 'Raise the file size limit of the system (ulimit -f).',
  EACCES: 'Check the write permissions of the folder.',
  EPERM: 'Check the write permissions of the folder.',
  EROFS: 'The disk is mounted read-only: mount it for writing, or choose another place.',
};

function notWritten(path: string, cause: unknown): CertError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return new CertError(
    'bad-file',
    `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`,
    CURES[code] ?? 'Check that the folder exists and is writable.',
    { cause },
  );
}

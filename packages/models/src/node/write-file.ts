import { appendFile, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CertError } from '@cert/core';
import { isAlive } from './lock-file.js';

/** What a temporary file has behind the name of the file that was written. */
const ORPHAN = /^\.(\d+)\.tmp$/;

/**
 * Writes a file so that at every moment, whatever happens to the process or the machine, the path holds either what it held
 * before or all of the new content: a temporary file beside it, synchronised to the disk, then renamed. The folder must exist.
 * A process that is killed may leave the temporary file, `<path>.<process id>.tmp`; the next write removes it.
 *
 * @throws CertError `bad-file` when the path cannot be written; the old file is then untouched
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
 * Adds text to the end of a file, which is made where it is missing. The folder must exist.
 *
 * @throws CertError `bad-file` when it cannot be written; a part of the text may then be in the file
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

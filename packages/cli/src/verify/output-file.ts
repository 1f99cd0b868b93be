import { access, appendFile, constants, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import { makeFolder } from '@cert/models/node';

/**
 * Writes a file, in a folder that is made where it is missing.
 *
 * @throws CertError `bad-file` when it cannot be written
 */
export async function writeOutput(path: string, text: string | Uint8Array): Promise<void> {
  await makeFolder(dirname(path));
  await writeFile(path, text).catch((cause: unknown) => {
    throw notWritten(path, cause);
  });
}

/**
 * Adds to a file; makes it where it is missing.
 *
 * @throws CertError `bad-file` when it cannot be written
 */
export async function appendOutput(path: string, text: string): Promise<void> {
  await appendFile(path, text).catch((cause: unknown) => {
    throw notWritten(path, cause);
  });
}

/**
 * Removes a file of an earlier run that a result will be written to, and says early that none can be written there.
 *
 * @throws CertError `bad-file` when something else has its name, and for a folder that cannot be written
 */
export async function clearOutput(path: string): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder);
  try {
    await access(folder, constants.W_OK);
    await rm(path, { force: true });
  } catch (cause) {
    throw notWritten(path, cause);
  }
}

const isFull = (cause: unknown) =>
  cause instanceof Error && 'code' in cause && ['ENOSPC', 'EDQUOT'].includes(String(cause.code));

const notWritten = (path: string, cause: unknown) =>
  new CertError(
    'bad-file',
    `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`,
    isFull(cause) ? 'Free space on the disk: it is full.' : 'Give a file in a writable folder.',
    { cause },
  );

import { appendFile, writeFile } from 'node:fs/promises';
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

const notWritten = (path: string, cause: unknown) =>
  new CertError(
    'bad-file',
    `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`,
    'Give a file in a writable folder.',
    { cause },
  );

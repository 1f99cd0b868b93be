import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError } from '@cert/core';
import type { Device } from '@cert/jit';
import type { Row } from './compare.js';
import { compareFile } from './compare-file.js';

/**
 * Compares every JSON file of a folder, one after the other, and yields a row for each quantity.
 *
 * @throws CertError `bad-file` when the folder cannot be read or holds no JSON file; what is wrong with a file is a row
 */
export async function* compareFolder(folder: string, devices: readonly Device[]): AsyncGenerator<Row> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new CertError('bad-file', `The folder "${folder}" cannot be read.`, 'Give a folder of golden files.', {
      cause,
    });
  });
  const files = names.filter((name) => name.endsWith('.json')).sort();
  if (files.length === 0) {
    throw new CertError('bad-file', `The folder "${folder}" holds no JSON file.`, 'Give a folder of golden files.');
  }
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  for (const name of files) yield* compareFile(read, name, devices);
}

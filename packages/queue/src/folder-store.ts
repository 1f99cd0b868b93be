import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError } from '@cert/core';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import type { Shelf } from './shelf.js';

/** A folder that all machines see. */
export async function folderStore(folder: string): Promise<Shelf> {
  return {
    name: folder,
    async read(sha256) {
      try {
        return await readFile(join(folder, sha256));
      } catch (cause) {
        throw (await stat(folder).catch(() => undefined)) === undefined
          ? noFolder(folder, cause)
          : noFile(folder, sha256, cause);
      }
    },
    async write(sha256, bytes) {
      const file = join(folder, sha256);
      const there = await readFile(file).catch(() => undefined);
      if (there !== undefined && createHash('sha256').update(there).digest('hex') === sha256) return;
      await makeFolder(folder);
      await writeFileAtomic(file, bytes);
    },
  };
}

const CURE = 'Give the folder of cert queue submit --store, on a disk that all machines share.';

const noFolder = (folder: string, cause: unknown) =>
  new CertError('bad-file', `The store ${folder} does not exist.`, CURE, { cause });

function noFile(folder: string, sha256: string, cause: unknown): CertError {
  const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
  const reason = isMissing ? '' : `: ${cause instanceof Error ? cause.message : cause}`;
  return new CertError('bad-file', `The store ${folder} lacks the file ${sha256}${reason}.`, CURE, { cause });
}

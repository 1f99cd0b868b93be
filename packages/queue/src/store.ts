import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError, describeValue } from '@cert/core';
import { makeFolder, writeFileAtomic } from '@cert/models/node';

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const isUrl = (store: string) => /^https?:\/\//.test(store);

/** The address of a file in a store, and what a query adds to it. */
function addressOf(store: string, sha256: string): string {
  const url = new URL(store);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${sha256}`;
  return url.href;
}

/**
 * Puts a file into a store, where workers find it under its SHA-256. A store at a URL is read alone: the file must be there.
 *
 * @param store a folder that all machines see, or the URL of a folder on a web server
 * @returns the SHA-256 of the bytes
 * @throws CertError `bad-file` if it cannot be written, and as {@link fetchFile} for a URL
 */
export async function storeFile(store: string, bytes: Uint8Array): Promise<string> {
  const sha256 = hashOf(bytes);
  if (isUrl(store)) {
    await fetchFile(store, sha256);
    return sha256;
  }
  const file = join(store, sha256);
  const there = await readFile(file).catch(() => undefined);
  if (there !== undefined && hashOf(there) === sha256) return sha256;
  await makeFolder(store);
  await writeFileAtomic(file, bytes);
  return sha256;
}

/**
 * Fetches a file from a store and checks its hash.
 *
 * @param store a folder, or the URL of a folder, from which the file is fetched with GET
 * @param sha256 its SHA-256 in hexadecimal
 * @throws CertError `bad-file` if it is missing or its hash differs, `no-network` if the server does not answer
 */
export async function fetchFile(store: string, sha256: string): Promise<Uint8Array> {
  // A job of a queue names it: nothing outside the store is opened.
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw new CertError(
      'bad-data',
      `${describeValue(sha256)} is not a SHA-256: files in a store have no other names.`,
      'Remove what names it from the queue (cert queue remove), and submit it again.',
    );
  }
  const bytes = isUrl(store) ? await download(addressOf(store, sha256)) : await read(join(store, sha256));
  const hash = hashOf(bytes);
  if (hash === sha256) return bytes;
  throw new CertError(
    'bad-file',
    `The file ${sha256} in ${shown(store)} has another hash: ${hash}. It is not used.`,
    'Remove the file from the store, and submit again.',
  );
}

/** Without the query, which may hold a signature. */
const shown = (store: string) => (isUrl(store) ? store.replace(/\?.*$/, '').replace(/\/\/[^/@]*@/, '//') : store);

const read = (file: string) =>
  readFile(file).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CertError(
      'bad-file',
      `The store lacks a file: ${reason}.`,
      'Give the folder of cert queue submit --store, on a disk that all machines share.',
      { cause },
    );
  });

async function download(url: string): Promise<Uint8Array> {
  const response = await fetch(url).catch((cause: unknown) => {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new CertError('no-network', `${shown(url)} cannot be fetched: ${reason}.`, 'Check the address of --store.', {
      cause,
    });
  });
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  throw new CertError(
    'bad-file',
    `${shown(url)} cannot be fetched: ${response.status} ${response.statusText}.`,
    'Upload the file under this name, readable for the workers.',
  );
}

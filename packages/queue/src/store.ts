import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError } from '@cert/core';
import { makeFolder, writeFileAtomic } from '@cert/models/node';

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The file of a checkpoint in a store. */
const nameOf = (checkpoint: string) => `${checkpoint}.safetensors`;

const isUrl = (store: string) => /^https?:\/\//.test(store);

/** The address of a checkpoint in a store, and what a query adds to it. */
function addressOf(store: string, checkpoint: string): string {
  const url = new URL(store);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${nameOf(checkpoint)}`;
  return url.href;
}

/**
 * Puts a checkpoint into a store, where workers find it by its hash. A store at a URL is read alone: the file must be there.
 *
 * @param store a folder that all machines see, or the URL of a folder on a web server
 * @returns the SHA-256 of the bytes
 * @throws CertError `bad-file` if it cannot be written, and as {@link fetchCheckpoint} for a URL
 */
export async function storeCheckpoint(store: string, bytes: Uint8Array): Promise<string> {
  const checkpoint = hashOf(bytes);
  if (isUrl(store)) {
    await fetchCheckpoint(store, checkpoint);
    return checkpoint;
  }
  const file = join(store, nameOf(checkpoint));
  const there = await readFile(file).catch(() => undefined);
  if (there !== undefined && hashOf(there) === checkpoint) return checkpoint;
  await makeFolder(store);
  await writeFileAtomic(file, bytes);
  return checkpoint;
}

/**
 * Fetches a checkpoint from a store and checks its hash.
 *
 * @param store a folder, or the URL of a folder, from which the file is fetched with GET
 * @param checkpoint its SHA-256 in hexadecimal
 * @throws CertError `bad-file` if it is missing or its hash differs, `no-network` if the server does not answer
 */
export async function fetchCheckpoint(store: string, checkpoint: string): Promise<Uint8Array> {
  const bytes = isUrl(store)
    ? await download(addressOf(store, checkpoint))
    : await read(join(store, nameOf(checkpoint)));
  const hash = hashOf(bytes);
  if (hash === checkpoint) return bytes;
  throw new CertError(
    'bad-file',
    `The checkpoint ${nameOf(checkpoint)} in ${shown(store)} has another hash: ${hash}. It is not evaluated.`,
    'Remove the file from the store, and submit the evaluation again.',
  );
}

/** Without the query, which may hold a signature. */
const shown = (store: string) => (isUrl(store) ? store.replace(/\?.*$/, '').replace(/\/\/[^/@]*@/, '//') : store);

const read = (file: string) =>
  readFile(file).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CertError(
      'bad-file',
      `The store lacks a checkpoint: ${reason}.`,
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
    'Upload the checkpoint under this name, readable for the workers.',
  );
}

import { CertError } from '@cert/core';
import type { Shelf } from './shelf.js';

/** A folder of a web server, from which files are fetched with GET. It is read alone: a file that is to be put there must be there. */
export async function webStore(place: string): Promise<Shelf> {
  if (!URL.canParse(place)) {
    throw new CertError(
      'bad-argument',
      'The address of the store is not a URL.',
      'Give one such as https://HOST/PATH.',
    );
  }
  const read = (sha256: string) => {
    const url = new URL(place);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${sha256}`;
    return download(url.href);
  };
  return {
    name: shown(place),
    read,
    async write(sha256) {
      await read(sha256);
    },
  };
}

/** Without a password, and without the query, which may hold a signature. */
const shown = (url: string) => url.replace(/\?.*$/, '').replace(/\/\/[^/@]*@/, '//');

async function download(url: string): Promise<Uint8Array> {
  const unreachable = (cause: unknown) => {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    return new CertError('no-network', `${shown(url)} cannot be fetched: ${reason}.`, 'Check the address of --store.', {
      cause,
    });
  };
  const response = await fetch(url).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!response.ok) {
    throw new CertError(
      'bad-file',
      `${shown(url)} cannot be fetched: ${response.status} ${response.statusText}.`,
      'Upload the file under this name, readable for the workers.',
    );
  }
  // A connection may break in the middle of a body.
  const body = await response.arrayBuffer().catch((cause: unknown) => {
    throw unreachable(cause);
  });
  return new Uint8Array(body);
}

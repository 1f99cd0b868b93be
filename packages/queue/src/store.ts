import { createHash } from 'node:crypto';
import { CertError, describeValue } from '@cert/core';
import { folderStore } from './folder-store.js';
import { s3Store } from './s3-store.js';
import type { Shelf } from './shelf.js';
import { webStore } from './web-store.js';

/** Where files are, by their SHA-256. Every file that is read is compared with its hash. */
export interface Store {
  /**
   * Puts a file into the store, unless it is there.
   *
   * @returns the SHA-256 of the bytes
   * @throws CertError `bad-file` if it cannot be written, and as `openStore`
   */
  put(bytes: Uint8Array): Promise<string>;
  /**
   * Reads a file.
   *
   * @throws CertError `bad-file` if it is missing or its hash differs, `bad-data` for a text that is no SHA-256, `no-network` if a server
   * does not answer
   */
  get(sha256: string): Promise<Uint8Array>;
}

/** What stands in front of a place, and who reads it; other places are folders. */
const SCHEMES: { readonly [scheme: string]: (place: string) => Promise<Shelf> } = {
  http: webStore,
  https: webStore,
  s3: s3Store,
};

/**
 * Opens a store.
 *
 * @param place a folder that all machines see; `s3://BUCKET/PREFIX` with the credentials and the endpoint of the environment
 * (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_ENDPOINT_URL_S3` and so on), which needs `@aws-sdk/client-s3`; or the URL of a folder on a web
 * server, which is read alone: files must be there
 * @throws CertError `missing-package` if S3 is asked for without its package, `bad-argument` for a URL that cannot be used
 */
export async function openStore(place: string): Promise<Store> {
  const [, scheme = ''] = /^([a-z0-9+]+):\/\//i.exec(place) ?? [];
  const open = scheme === '' ? folderStore : SCHEMES[scheme.toLowerCase()];
  if (open === undefined) {
    throw new CertError(
      'bad-argument',
      `The store begins with ${scheme}://.`,
      'Give a folder, s3://BUCKET/PREFIX, or the URL of a web server (https://).',
    );
  }
  const shelf = await open(place);
  return {
    async put(bytes) {
      const sha256 = hashOf(bytes);
      await shelf.write(sha256, bytes);
      return sha256;
    },
    async get(sha256) {
      // A job of a queue names it: nothing outside the store is opened.
      if (!/^[0-9a-f]{64}$/.test(sha256)) {
        throw new CertError(
          'bad-data',
          `${describeValue(sha256)} is not a SHA-256: files in a store have no other names.`,
          'Remove what names it from the queue (cert queue remove), and submit it again.',
        );
      }
      const bytes = await shelf.read(sha256);
      const hash = hashOf(bytes);
      if (hash === sha256) return bytes;
      throw new CertError(
        'bad-file',
        `The file ${sha256} in ${shelf.name} has another hash: ${hash}. It is not used.`,
        'Remove the file from the store, and submit again.',
      );
    },
  };
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError } from '@cert/core';
import type { NamedBytes } from '../idx.js';
import { defaultCacheFolder } from './cache.js';
import { writeAtomically } from './write-atomically.js';

/** A file that can be downloaded. */
export interface RemoteFile {
  /** Its name behind the address of a mirror, and in the cache. */
  readonly name: string;
  /** SHA-256 of the file as it is downloaded, in hex. */
  readonly sha256: string;
  /** Most bytes of a download; a longer one is broken off. Default 1 GiB. */
  readonly maxBytes?: number | undefined;
}

const MAX_BYTES = 2 ** 30;

/** A set of files, and the places to get them from. */
export interface RemoteFiles {
  /** The dataset's name; also that of its folder in the cache. */
  readonly name: string;
  /** Addresses ending in `/`, tried in order. */
  readonly mirrors: readonly string[];
  /** All of them are needed. */
  readonly files: readonly RemoteFile[];
}

/** Location of the files of a dataset. */
export interface FileOptions {
  /** Folder with all files, compressed (`.gz`) or not. If given, nothing is downloaded. */
  readonly folder?: string | undefined;
  /** Cache folder for downloads, with a subfolder for each dataset. Default `$XDG_CACHE_HOME/cert` or `~/.cache/cert`. */
  readonly cacheDir?: string | undefined;
  /** Whether to download files that are not in the cache. Default true. */
  readonly download?: boolean | undefined;
  /** Replaces the global `fetch`, for example behind a proxy. */
  readonly fetch?: typeof fetch | undefined;
}

/**
 * The files of a set in its order: from the folder when one is given, else from the cache, else downloaded into the cache.
 * Files in the cache and downloads are checked against their SHA-256; those in a folder are the caller's own.
 *
 * @throws CertError `bad-file` naming a file that is missing or has another checksum; `no-network` naming every file that could not
 * be downloaded and the folder to put it in
 */
export async function fetchFiles(set: RemoteFiles, options: FileOptions = {}): Promise<NamedBytes[]> {
  if (options.folder !== undefined) return readFolder(set, options.folder);
  const folder = join(options.cacheDir ?? defaultCacheFolder(), set.name);
  const cached = await Promise.all(set.files.map((file) => readCached(folder, file)));
  const missing = set.files.filter((_, i) => cached[i] === undefined);
  if (missing.length > 0 && options.download === false) {
    throw new CertError(
      'bad-file',
      `${set.name}: not in ${folder}, or damaged: ${list(missing)}.`,
      'Allow the download, or put the files into the folder.',
    );
  }
  const downloaded = new Map<string, NamedBytes>();
  for (const [i, file] of missing.entries()) {
    const bytes = await download(set, file, missing.slice(i), folder, options.fetch ?? fetch);
    const path = join(folder, file.name);
    await writeAtomically(path, [bytes]);
    downloaded.set(file.name, { name: path, bytes });
  }
  return set.files.map((file, i) => cached[i] ?? downloaded.get(file.name)!);
}

/** The files in a user's folder, each under its own name or without `.gz`. */
async function readFolder({ name, files }: RemoteFiles, folder: string): Promise<NamedBytes[]> {
  const found: NamedBytes[] = [];
  const missing: RemoteFile[] = [];
  for (const file of files) {
    const read = (await readNamed(join(folder, file.name))) ?? (await readNamed(join(folder, plainName(file))));
    if (read === undefined) missing.push(file);
    else found.push(read);
  }
  if (missing.length === 0) return found;
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  throw new CertError(
    'bad-file',
    isThere
      ? `${name}: not in ${folder}: ${list(missing)}.`
      : `${name}: the folder ${folder} does not exist. Files: ${list(missing)}.`,
    'Put the files into the folder, compressed or not, or leave the folder out to download them.',
  );
}

const plainName = ({ name }: RemoteFile) => name.replace(/\.gz$/, '');

/** A file of the cache; `undefined` when it is missing or damaged, so that it is downloaded again. */
async function readCached(folder: string, file: RemoteFile): Promise<NamedBytes | undefined> {
  const read = await readNamed(join(folder, file.name));
  return read !== undefined && sha256(read.bytes) === file.sha256 ? read : undefined;
}

/** An archive in a user's folder. @throws CertError `bad-file` when it cannot be read */
export async function readArchive(path: string): Promise<NamedBytes> {
  const read = await readNamed(path);
  if (read !== undefined) return read;
  throw new CertError('bad-file', `${path} does not exist.`, 'Put the file back.');
}

/** A file under its path; `undefined` when there is none. */
async function readNamed(path: string): Promise<NamedBytes | undefined> {
  try {
    return { name: path, bytes: await readFile(path) };
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new CertError(
      'bad-file',
      `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
      'Check that it is a readable file.',
      { cause },
    );
  }
}

/** Tries the mirrors in order and returns the first content with the right checksum. */
async function download(
  set: RemoteFiles,
  file: RemoteFile,
  missing: readonly RemoteFile[],
  folder: string,
  get: typeof fetch,
): Promise<Uint8Array> {
  const failures: string[] = [];
  let wrong: string | undefined;
  for (const mirror of set.mirrors) {
    const url = `${mirror}${file.name}`;
    try {
      const response = await get(url);
      if (!response.ok) throw new Error(`status ${response.status}`);
      const bytes = await readBody(response, file.maxBytes ?? MAX_BYTES);
      const found = sha256(bytes);
      if (found === file.sha256) return bytes;
      wrong = found;
      failures.push(`${url}: ${bytes.length} bytes with the SHA-256 ${found}`);
    } catch (cause) {
      failures.push(`${url}: ${reason(cause)}`);
    }
  }
  const tried = failures.map((failure) => `\n  ${failure}`).join('');
  if (wrong !== undefined) {
    throw new CertError(
      'bad-file',
      `${set.name}: no download of ${file.name} has the SHA-256 ${file.sha256}.${tried}`,
      `Try again later, or put the right file into ${folder}.`,
    );
  }
  throw new CertError(
    'no-network',
    `${set.name}: ${file.name} could not be downloaded.${tried}`,
    `Connect to the network, or put ${list(missing)} into ${folder}: there, files need the published SHA-256. A folder of your own (--data) may hold files that were compressed anew.`,
  );
}

/** What a response holds; it is left off after `most` bytes. */
async function readBody({ body }: Response, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of (body ?? []) as AsyncIterable<Uint8Array>) {
    total += part.length;
    if (total > most) throw new Error(`it has more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const list = (files: readonly RemoteFile[]) => files.map(({ name }) => name).join(', ');

/** What went wrong; fetch hides it in the cause of its "fetch failed". */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

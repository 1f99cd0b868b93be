import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CertError } from '@cert/core';
import type { QueuedFiles, QueuedInstance, Store } from '@cert/queue';
import { pathOf, readList } from '../verify/instances.js';
import { isLayersModel, readLayersFiles } from '../verify/layers-model.js';
import { readBytes } from '../verify/network.js';
import { fingerprintOf, UNREADABLE } from '../verify/verify-instance.js';

/** A list of instances, ready for a queue. */
export interface ListedFiles {
  readonly folder: string;
  readonly instances: readonly QueuedInstance[];
  /** Every file that the instances need, once: its SHA-256 and where it is. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * Reads a list and hashes the files that it names. One that cannot be read is no error here: its instances carry the reason.
 *
 * @param timeout seconds, instead of those of the instances
 * @param onInstance called after each instance
 * @throws CertError `bad-file` for a list that cannot be read or is empty, `bad-argument` for a folder instead of a file
 */
export async function readListFiles(
  list: string,
  timeout: number | undefined,
  onInstance: (done: number, of: number) => void,
): Promise<ListedFiles> {
  const listed = await readList(list);
  const files = new Map<string, string>();
  const known = new Map<string, Hashed>();
  const hashed = async (path: string): Promise<Hashed> => {
    const found = known.get(path) ?? (await hashFiles(pathOf(list, path), files));
    known.set(path, found);
    return found;
  };
  const instances: QueuedInstance[] = [];
  for (const [index, { onnx, vnnlib, timeout: own, columns }] of listed.entries()) {
    const [network, property] = [await hashed(onnx), await hashed(vnnlib)];
    instances.push({
      ...{ index, onnx, vnnlib, timeout: timeout ?? own, columns },
      ...{ network: network.queued, property: property.queued, files: `${network.print} ${property.print}` },
    });
    onInstance(index + 1, listed.length);
  }
  return { folder: dirname(list), instances, files };
}

/** Files that travel at the same time. */
const AT_ONCE = 8;

/**
 * Puts files into a store.
 *
 * @param onFile called when more files are there
 * @throws CertError `bad-file` if a file has changed since it was hashed, and as the store
 */
export async function uploadFiles(
  files: ListedFiles['files'],
  store: Store,
  onFile: (done: number, of: number) => void,
): Promise<void> {
  const waiting = [...files];
  let done = 0;
  const carry = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [sha256, file] = next;
      if ((await store.put(await readFile(file))) !== sha256) {
        throw new CertError('bad-file', `${file} has changed while it was submitted.`, 'Run the same command again.');
      }
      onFile(++done, files.size);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, carry));
}

/** What is known of the files of a network, or of a property. */
interface Hashed {
  readonly queued: QueuedFiles;
  /** What identifies their contents in a result. */
  readonly print: string;
}

/** Hashes a file, and the weights of a TensorFlow.js model. @param files gets the places of the files by their hashes */
async function hashFiles(path: string, files: Map<string, string>): Promise<Hashed> {
  if ((await stat(path).catch(() => undefined))?.isDirectory()) {
    throw new CertError('bad-argument', `The list names the folder ${path}.`, 'Name a file: a queue carries files.');
  }
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return { queued: { sha256: [], ...(await problemOf(readBytes(path))) }, print: UNREADABLE };
  const all: Uint8Array[] = [];
  const sha256: string[] = [];
  const add = (file: string, content: Uint8Array) => {
    const hash = createHash('sha256').update(content).digest('hex');
    files.set(hash, file);
    sha256.push(hash);
    all.push(content);
  };
  add(path, bytes);
  let problem: { readonly problem?: string } = {};
  if (isLayersModel(path)) {
    const reading = readBytes(path).then((json) => readLayersFiles(path, json));
    problem = await problemOf(reading);
    const { weights } = await reading.catch(() => ({ weights: {} }));
    for (const [name, content] of Object.entries(weights)) add(join(dirname(path), name), content);
  }
  return { queued: { sha256, ...problem }, print: fingerprintOf(all) };
}

/** Why something cannot be read; empty if it can. */
const problemOf = (reading: Promise<unknown>): Promise<{ readonly problem?: string }> =>
  reading.then(
    () => ({}),
    (error: unknown) => ({
      problem: error instanceof CertError ? error.problem : error instanceof Error ? error.message : String(error),
    }),
  );

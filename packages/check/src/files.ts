/** Certificates that are files, many of them in worker threads. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import { decodeUtf8 } from './bytes.js';
import { createChecker, type Verdict } from './check.js';
import { demand, within } from './refused.js';

/** Takes a verdict, with the place of its file in the list. */
type Found = (place: number, verdict: Verdict) => void;

/**
 * Checks files, in any order.
 *
 * @param network a network file to read in place of the one that each certificate names; undefined: the one that it names, relative to the certificate
 */
export type CheckFiles = (files: readonly string[], network: string | undefined, found: Found) => Promise<void>;

/** The most bytes of a certificate, decompressed. */
const LARGEST = 2 ** 28;

/** Fewer files than this are not worth another thread. */
const FILES_PER_THREAD = 16;

/** The text of a certificate, which gzip has compressed where the name ends in .gz. */
export function textIn(file: string, bytes: Uint8Array): string {
  const inflate = () => gunzipSync(bytes, { maxOutputLength: LARGEST });
  const plain = file.endsWith('.gz') ? within('the certificate cannot be decompressed', inflate) : bytes;
  demand(plain.length <= LARGEST, `the certificate has ${plain.length} bytes, more than ${LARGEST}`);
  return decodeUtf8(new Uint8Array(plain), 'the certificate');
}

/** Checks every `step`-th file from the place `first` on. */
async function checkEvery(first: number, step: number, ...[files, network, found]: Parameters<CheckFiles>) {
  // One checker for each folder, as paths are relative to it; each reads a network once.
  const checkers = new Map<string, ReturnType<typeof createChecker>>();
  for (let place = first; place < files.length; place += step) {
    const file = files[place]!;
    const folder = network === undefined ? dirname(resolve(file)) : '';
    const check = checkers.get(folder) ?? createChecker((path) => readFile(network ?? resolve(folder, path)));
    checkers.set(folder, check);
    found(place, await check(readFile(file).then((bytes) => textIn(file, bytes))));
  }
}

/** @param script the file that a worker runs; it calls {@link serve} */
export const checkInParallel =
  (script: URL): CheckFiles =>
  async (files, network, found) => {
    const threads = Math.min(availableParallelism(), Math.ceil(files.length / FILES_PER_THREAD));
    if (threads === 1) return checkEvery(0, 1, files, network, found);
    const run = (thread: number) =>
      new Promise<void>((done, fail) => {
        const worker = new Worker(script, { workerData: [thread, threads, files, network] });
        worker.on('message', ([place, verdict]: Parameters<Found>) => found(place, verdict));
        worker.on('error', fail);
        worker.on('exit', (code) => (code === 0 ? done() : fail(new Error(`a worker thread ended with code ${code}`))));
      });
    await Promise.all(Array.from({ length: threads }, (_, thread) => run(thread)));
  };

/** What a worker does: it checks its share and sends each verdict. */
export function serve(): Promise<void> {
  const [thread, threads, files, network] = workerData as [number, number, string[], string | undefined];
  return checkEvery(thread, threads, files, network, (...found) => parentPort?.postMessage(found));
}

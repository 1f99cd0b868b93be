/** Many certificates in worker threads; each thread reads and hashes a network once. */
import { availableParallelism } from 'node:os';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { Verdict } from './check.js';
import { createFileChecker } from './files.js';

/** Checks files, in any order, and hands each verdict on with the place of its file in the list. */
export type CheckFiles = (
  files: readonly string[],
  network: string | undefined,
  found: (place: number, verdict: Verdict) => void,
) => Promise<void>;

/** Fewer files than this are not worth another thread. */
const FILES_PER_THREAD = 16;

/** @param script the file that a worker runs; it calls {@link serve} */
export const checkInParallel =
  (script: URL): CheckFiles =>
  async (files, network, found) => {
    const threads = Math.min(availableParallelism(), Math.ceil(files.length / FILES_PER_THREAD));
    let next = 0;
    const work = async () => {
      const worker = threads === 1 ? undefined : new Worker(script, { workerData: network });
      const check = worker === undefined ? createFileChecker(network) : (file: string) => ask(worker, file);
      while (next < files.length) {
        const place = next++;
        found(place, await check(files[place]!));
      }
      await worker?.terminate();
    };
    await Promise.all(Array.from({ length: threads }, work));
  };

/** One file at a time; rejects where the thread dies. */
const ask = (worker: Worker, file: string): Promise<Verdict> =>
  new Promise((resolve, reject) => {
    const settled = (settle: () => void) => {
      worker.removeAllListeners();
      settle();
    };
    worker.once('message', (verdict: Verdict) => settled(() => resolve(verdict)));
    worker.once('error', (error) => settled(() => reject(error)));
    worker.once('exit', (code) => settled(() => reject(new Error(`a worker thread ended with code ${code}`))));
    worker.postMessage(file);
  });

/** What a worker does: it answers each file with its verdict. */
export function serve(): void {
  const check = createFileChecker(workerData as string | undefined);
  parentPort?.on('message', async (file: string) => parentPort?.postMessage(await check(file)));
}

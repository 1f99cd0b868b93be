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
      const thread = threads === 1 ? undefined : startThread(script, network);
      const check = thread?.check ?? createFileChecker(network);
      while (next < files.length) {
        const place = next++;
        found(place, await check(files[place]!));
      }
      await thread?.end();
    };
    await Promise.all(Array.from({ length: threads }, work));
  };

/** A thread that checks one file at a time; `check` rejects where it dies. */
function startThread(script: URL, network: string | undefined) {
  const worker = new Worker(script, { workerData: network });
  let [resolve, reject]: [(verdict: Verdict) => void, (error: Error) => void] = [() => {}, () => {}];
  worker.on('message', (verdict: Verdict) => resolve(verdict));
  worker.on('error', (error) => reject(error));
  worker.on('exit', (code) => reject(new Error(`a worker thread ended with code ${code}`)));
  return {
    check: (file: string) =>
      new Promise<Verdict>((...settle) => {
        [resolve, reject] = settle;
        worker.postMessage(file);
      }),
    end: () => worker.terminate(),
  };
}

/** What a worker does: it answers each file with its verdict. */
export function serve(): void {
  const check = createFileChecker(workerData as string | undefined);
  parentPort?.on('message', async (file: string) => parentPort?.postMessage(await check(file)));
}

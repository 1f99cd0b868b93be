/** The thread that gathers batches for `loadBatches`: an answer for each job, in the order of the jobs. */
import { parentPort, workerData } from 'node:worker_threads';
import type { PlannedBatch } from '../batches.js';
import { gatherImages } from '../gather.js';
import type { Split } from '../split.js';

/** What the thread is made with. */
export type WorkerSplit = Pick<Split, 'images' | 'scale' | 'shape'>;

/** The pixels of a batch. */
export interface Gathered {
  readonly batch: number;
  readonly images: Float32Array<ArrayBuffer>;
}

const split: WorkerSplit = workerData;
parentPort?.on('message', ({ batch, indices, transforms }: PlannedBatch) => {
  const gathered: Gathered = { batch, images: gatherImages(split, indices, transforms) };
  parentPort?.postMessage(gathered, [gathered.images.buffer]);
});

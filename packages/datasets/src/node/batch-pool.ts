import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { PlannedBatch } from '../batches.js';
import type { Gathered, WorkerSplit } from './batch-worker.js';

/** Threads that gather batches. */
export interface BatchPool {
  /** Begins to gather a batch. */
  send(plan: PlannedBatch): void;
  /** The pixels of a batch that was sent, once. Rejects when a thread died. */
  take(batch: number): Promise<Float32Array>;
  /** Ends the threads. */
  end(): Promise<void>;
}

/** Starts threads. They keep the process alive only while a batch is awaited. */
export function startBatchPool({ images, scale, shape }: WorkerSplit, size: number): BatchPool {
  const workers = Array.from({ length: size }, () => startWorker({ images, scale, shape }));
  const gathered = new Map<number, Float32Array>();
  const died: unknown[] = [];
  let wake = () => {};
  for (const worker of workers) {
    worker.unref();
    worker.on('message', ({ batch, images: pixels }: Gathered) => {
      gathered.set(batch, pixels);
      wake();
    });
    worker.on('error', (error) => {
      died.push(error);
      wake();
    });
    worker.on('exit', (code) => {
      died.push(new Error(`A thread that gathers batches ended with code ${code}.`));
      wake();
    });
  }
  return {
    send: (plan) => workers[plan.batch % size]!.postMessage(plan),
    async take(batch) {
      for (const worker of workers) worker.ref();
      while (!gathered.has(batch) && died.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      for (const worker of workers) worker.unref();
      const pixels = gathered.get(batch);
      if (pixels === undefined) throw died[0];
      gathered.delete(batch);
      return pixels;
    },
    async end() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** A thread of the built package; while the source is what runs, one that compiles it. */
function startWorker(workerData: WorkerSplit): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./batch-worker.js', import.meta.url), { workerData });
  }
  const tsx = createRequire(import.meta.url).resolve('tsx/cjs/api');
  const file = fileURLToPath(new URL('./batch-worker.ts', import.meta.url));
  const code = `require(${JSON.stringify(tsx)}).require(${JSON.stringify(file)}, ${JSON.stringify(file)})`;
  return new Worker(code, { workerData, eval: true, execArgv: [] });
}

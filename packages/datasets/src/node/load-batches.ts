import {
  type BatchOptions,
  batchCount,
  batches,
  checkWhole,
  type PlannedBatch,
  planBatches,
  type SplitBatch,
  toBatch,
} from '../batches.js';
import { gatherImages } from '../gather.js';
import type { Split } from '../split.js';
import { startBatchPool } from './batch-pool.js';

/** Options of {@link loadBatches}. */
export interface LoadOptions extends BatchOptions {
  /** Number of threads that gather batches. Default 1. */
  readonly workers?: number | undefined;
  /** Number of batches to gather in advance. Default 4. */
  readonly prefetch?: number | undefined;
}

/**
 * Iterates over the same batches as {@link batches}, gathered in advance by threads, also while the main thread is busy. The main thread
 * gathers the first batch while the threads start; the threads end with the iteration, even if the loop exits early.
 *
 * Images in a `SharedArrayBuffer`, as {@link cifar10}, {@link imageFolder} and {@link tinyImagenet} return them, are shared with the
 * threads; other images are copied to each thread.
 *
 * @throws CertError as {@link batches}, and `bad-argument` for a number of workers or batches that is not positive
 */
export function loadBatches(split: Split, options: LoadOptions): AsyncIterable<SplitBatch> {
  const { workers = 1, prefetch = 4, from = 0, batchSize } = options;
  const here = batches(split, options);
  const planned = planBatches(split, options);
  checkWhole('The number of workers', workers, 1);
  checkWhole('The number of batches to prefetch', prefetch, 1);
  return {
    async *[Symbol.asyncIterator]() {
      if (batchCount(split, batchSize) - from < 2) return yield* here;
      const pool = startBatchPool(split, workers);
      try {
        const plans = planned[Symbol.iterator]();
        const sent: PlannedBatch[] = [];
        const next = () => {
          const plan = plans.next();
          return plan.done ? undefined : plan.value;
        };
        const send = () => {
          const plan = next();
          if (plan === undefined) return;
          pool.send(plan);
          sent.push(plan);
        };
        const first = next()!;
        for (let i = 0; i < prefetch; i++) send();
        yield toBatch(split, first, gatherImages(split, first.indices, first.transforms));
        for (let plan = sent.shift(); plan !== undefined; plan = sent.shift()) {
          send();
          yield toBatch(split, plan, await pool.take(plan.batch));
        }
      } finally {
        await pool.end();
      }
    },
  };
}

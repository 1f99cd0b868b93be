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
  /** Threads that gather batches. Default 1. */
  readonly workers?: number | undefined;
  /** Batches that are gathered before they are asked for. Default 4. */
  readonly prefetch?: number | undefined;
}

/**
 * The very same batches as those of {@link batches}, gathered by threads before they are asked for, also while the main thread is
 * busy. The first one is gathered by the main thread, while the others start; they end with the iteration, also when it is left
 * early.
 *
 * Images in a `SharedArrayBuffer`, as those of {@link cifar10}, {@link imageFolder} and {@link tinyImagenet} are, are shared with the
 * threads; others are copied to each.
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

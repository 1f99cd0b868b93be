import type { HostBatch } from '@cert/core';
import { turn } from '@cert/jit';
import type { ImageEvidence } from './result.js';

/** An image with what is known of it so far. */
export interface Item extends ImageEvidence {
  /** Row-major, in the data range. */
  readonly pixels: Float32Array;
  /** The size of the largest logit. */
  readonly size: number;
}

/** Takes images and gives all of them on, in any order, with more known of those that it looked at. */
export type Stage = (items: AsyncIterable<Item>) => AsyncIterable<Item>;

/** Options of {@link inBatches}. */
export interface BatchStage {
  readonly batchSize: number;
  /** The images to look at; the others are given on at once. */
  readonly picks: (item: Item) => boolean;
  /** Looks at `batchSize` images, or at fewer in the end. */
  readonly look: (items: readonly Item[]) => Promise<readonly Item[]>;
  /** When it is aborted, the batch under way is finished and the stage rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A stage that waits until it has a full batch of images to look at. */
export const inBatches = ({ batchSize, picks, look, signal }: BatchStage): Stage =>
  async function* (items) {
    let waiting: Item[] = [];
    for await (const item of items) {
      if (!picks(item)) {
        yield item;
        continue;
      }
      waiting.push(item);
      if (waiting.length < batchSize) continue;
      yield* await look(waiting);
      waiting = [];
      await turn();
      signal?.throwIfAborted();
    }
    if (waiting.length === 0) return;
    yield* await look(waiting);
    await turn();
    signal?.throwIfAborted();
  };

/** A stage that tells how many seconds it takes itself, without those that it waits for images. */
export const timed = (stage: Stage, tell: (seconds: number) => void): Stage =>
  async function* (items) {
    let waited = 0;
    const source = items[Symbol.asyncIterator]();
    const from = async () => {
      const began = performance.now();
      try {
        return await source.next();
      } finally {
        waited += performance.now() - began;
      }
    };
    const leave = async () => (await source.return?.()) ?? { done: true as const, value: undefined };
    const given = stage({ [Symbol.asyncIterator]: () => ({ next: from, return: leave }) })[Symbol.asyncIterator]();
    try {
      for (;;) {
        waited = 0;
        const began = performance.now();
        const { done, value } = await given.next();
        tell((performance.now() - began - waited) / 1000);
        if (done) return;
        yield value;
      }
    } finally {
      await given.return?.();
    }
  };

/** A batch of exactly the size for which everything is compiled: the last image is repeated. */
export function fullBatch(items: readonly Item[], batchSize: number): HostBatch {
  const size = items[0]!.pixels.length;
  const images = new Float32Array(batchSize * size);
  const labels = new Int32Array(batchSize);
  for (let i = 0; i < batchSize; i++) {
    const { pixels, label } = items[Math.min(i, items.length - 1)]!;
    images.set(pixels, i * size);
    labels[i] = label;
  }
  return { images, labels };
}

import { describe, expect, it, vi } from 'vitest';
import { type Item, inBatches, timed } from './stage.js';

const item = (index: number): Item => ({
  ...{ index, label: 0, prediction: null, margin: null, lower: {}, attack: null, size: 0 },
  pixels: new Float32Array(1),
});

describe('a timed stage', () => {
  it('tells its own seconds, without those that it waits for images', async () => {
    let clock = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => clock);
    async function* slow() {
      for (const index of [0, 1, 2, 3]) {
        clock += 60_000;
        yield item(index);
      }
    }
    const stage = inBatches({
      ...{ batchSize: 2, picks: () => true },
      async look(items) {
        clock += 20_000;
        return items;
      },
    });
    let seconds = 0;
    const seen: number[] = [];
    for await (const { index } of timed(stage, (more) => (seconds += more))(slow())) seen.push(index);
    vi.restoreAllMocks();
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(seconds).toBe(40);
  });

  it('ends the stage and its source when it is left', async () => {
    const ended: string[] = [];
    async function* source() {
      try {
        for (const index of [0, 1, 2]) yield item(index);
      } finally {
        ended.push('source');
      }
    }
    const through = timed(
      async function* (items) {
        try {
          yield* items;
        } finally {
          ended.push('stage');
        }
      },
      () => {},
    );
    for await (const { index } of through(source())) if (index === 1) break;
    expect(ended).toEqual(['source', 'stage']);
  });
});

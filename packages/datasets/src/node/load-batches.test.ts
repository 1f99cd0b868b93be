import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createRng } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { arraySplit, batches, type SplitBatch, subset } from '../index.js';
import { startBatchPool } from './batch-pool.js';
import { type LoadOptions, loadBatches } from './index.js';
import { sharedBytes } from './shared-bytes.js';

const COUNT = 23;
const SHAPE = [5, 4, 3];
const rng = createRng(5);
const bytes = sharedBytes(COUNT * 60).map(() => rng.int(256));
const shared = sharedBytes(bytes.length);
shared.set(bytes);
const labels = Array.from({ length: COUNT }, (_, i) => i % 4);
const split = arraySplit({ shape: SHAPE, classes: 4, images: shared, labels });
const options = { batchSize: 4, seed: 2, epoch: 3, augment: { flip: true, crop: 2 } } satisfies LoadOptions;

async function collect(iterable: AsyncIterable<SplitBatch>): Promise<SplitBatch[]> {
  const list: SplitBatch[] = [];
  for await (const batch of iterable) list.push(batch);
  return list;
}

const ports = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;

describe('loadBatches', () => {
  it.each([
    ['one thread', {}],
    ['three threads', { workers: 3, prefetch: 5 }],
    ['more batches ahead than there are', { workers: 2, prefetch: 20 }],
    ['one batch ahead', { prefetch: 1 }],
    ['the middle of an epoch', { from: 3 }],
    ['the last batch', { from: 5 }],
    ['the end', { from: 6 }],
    ['no augmentation', { augment: undefined }],
    ['the order of the split', { shuffle: false }],
  ])('gives the very batches of batches(): %s', async (_, changes) => {
    const changed = { ...options, ...changes };
    const wanted = [...batches(split, changed)];
    expect(await collect(loadBatches(split, changed))).toEqual(wanted);
  });

  it('takes any arrays: floats, a part of an array, arrays that are not shared', async () => {
    const images = Float32Array.from(bytes, (value) => value / 300);
    for (const other of [arraySplit({ shape: SHAPE, classes: 4, images, labels }), subset(split, 9)])
      expect(await collect(loadBatches(other, options))).toEqual([...batches(other, options)]);
  });

  it('can be walked more than once, also at the same time', async () => {
    const iterable = loadBatches(split, options);
    const [a, b] = await Promise.all([collect(iterable), collect(iterable)]);
    expect(a).toEqual(b);
    expect(a.length).toBe(6);
  });

  it('ends its threads at the end, when it is left, and when its user throws', async () => {
    const before = ports();
    await collect(loadBatches(split, options));
    expect(ports()).toBe(before);
    for await (const _ of loadBatches(split, options)) break;
    expect(ports()).toBe(before);
    let seen = 0;
    const failing = async () => {
      for await (const _ of loadBatches(split, options)) if (++seen === 3) throw new Error('mine');
    };
    await expect(failing()).rejects.toThrow('mine');
    expect(ports()).toBe(before);
  });

  it.each([
    [{ workers: 0 }, 'The number of workers is 0.'],
    [{ prefetch: 0.5 }, 'The number of batches to prefetch is 0.5.'],
    [{ batchSize: 0 }, 'The batch size is 0.'],
    [{ from: 7 }, 'The first batch is 7.'],
  ])('refuses bad options at once (%#)', (changes, problem) => {
    expect(() => loadBatches(split, { ...options, ...changes })).toThrow(problem);
  });

  it('does not keep a process alive that has stopped asking', async () => {
    const [main, node] = ['../index.ts', './index.ts'].map((file) => new URL(file, import.meta.url).href);
    const script = `
      const { arraySplit } = await import(${JSON.stringify(main)});
      const { loadBatches } = await import(${JSON.stringify(node)});
      const split = arraySplit({ shape: [1, 1, 1], classes: 2, images: new Uint8Array(9), labels: Array(9).fill(0) });
      const iterator = loadBatches(split, { batchSize: 2 })[Symbol.asyncIterator]();
      for (let i = 0; i < 3; i++) console.log((await iterator.next()).value.labels.length);
    `;
    const args = ['--import', 'tsx', '--conditions=@cert/source', '--input-type=module', '--eval', script];
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    expect(out).toBe('2\n2\n2\n');
  });
});

describe('a thread that dies', () => {
  it('is reported to whoever waits, and to whoever comes later', async () => {
    const broken = { images: shared, scale: 1, shape: 5 as unknown as number[] };
    const pool = startBatchPool(broken, 2);
    pool.send({ batch: 0, indices: Uint32Array.of(0), transforms: undefined });
    await expect(pool.take(0)).rejects.toThrow('reduce is not a function');
    await expect(pool.take(1)).rejects.toThrow('reduce is not a function');
    await pool.end();
  });
});

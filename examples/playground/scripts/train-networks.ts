/**
 * Trains the two networks of the page and writes `networks/`: the weights, and the first test digits. Both networks have the same shape,
 * data and seed; only the method differs.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tf } from '@cert/core';
import { digits } from '@cert/datasets/node';
import { encodeCheckpoint } from '@cert/models';
import { loadCheckpoint } from '@cert/models/node';
import { resolveConfig, runFiles, startRun } from '@cert/trainer/pipeline';

/** Methods of the trainer by the name of the file. */
const NETWORKS = { certified: 'fast', plain: 'natural' } as const;
/** A tenth of the preset's parameters, so that a page can contain the weights; more epochs make up for it. */
const SETTINGS = { preset: 'digits/quick', width: 8, dense: 32, epochs: 30, seed: 0 };
const DIGITS = 20;

tf.enableProdMode();
const target = new URL('../networks/', import.meta.url);

for (const [name, method] of Object.entries(NETWORKS)) {
  const folder = await mkdtemp(join(tmpdir(), `cert-playground-${name}-`));
  try {
    const summary = await startRun(resolveConfig({ ...SETTINGS, method }), { folder });
    if (summary === null) throw new Error(`The run of ${name} was stopped.`);
    const { model, params, stats } = await loadCheckpoint(runFiles(folder).last);
    const { standardError, pgdError, verifiedError, epsilon } = summary;
    const metadata = { ...SETTINGS, method, epsilon, standardError, pgdError, verifiedError };
    await writeFile(new URL(`${name}.safetensors`, target), encodeCheckpoint({ model, params, stats, metadata }));
    console.log(`${name}: ${JSON.stringify(metadata)}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

// IDX, the format of MNIST, with a byte for each pixel.
const { test } = await digits();
const [height, width] = test.shape as [number, number, number];
const pixels = test.images.subarray(0, DIGITS * height * width);
const header = (...numbers: number[]) => numbers.flatMap((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
const bytes = [
  ...header(0x0803, DIGITS, height, width),
  ...Array.from(pixels, (value) => Math.round(value * test.scale * 255)),
];
await writeFile(new URL('digits-images.idx', target), Uint8Array.from(bytes));
const labels = [...header(0x0801, DIGITS), ...test.labels.subarray(0, DIGITS)];
await writeFile(new URL('digits-labels.idx', target), Uint8Array.from(labels));

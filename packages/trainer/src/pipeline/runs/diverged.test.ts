/** A learning rate beyond float32 makes every weight infinite in one update, whose loss was finite. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeCheckpoint } from '@cert/models';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfig } from '../config/preset.js';
import { runFiles } from './folder.js';
import { startRun } from './run.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-diverged-'));
});
afterAll(() => rm(place, { recursive: true }));

it.each([
  ['in the last step', 20, null],
  ['before a checkpoint within an epoch', 8, 1e-6],
])('weights that overflow %s end the run, and the last checkpoint stays good', async (name, batchSize, minutes) => {
  const folder = join(place, name);
  const config = resolveConfig({
    ...{ device: 'tfjs', limit: 20, batchSize, epochs: 1, attackRestarts: 0, width: 2, dense: 4 },
    ...{ rampStart: 1, rampLength: 1, learningRate: 1e39, checkpointMinutes: minutes },
  });
  const { last } = runFiles(folder);
  await expect(startRun(config, { folder })).rejects.toMatchObject({
    code: 'not-finite',
    problem: expect.stringMatching(/^Step 0 \(epoch 1\): the update made the parameter "\w+\.\w+" -?(Infinity|NaN)\.$/),
    cure: expect.stringContaining(`The last good checkpoint is ${last}.`),
  });
  const { params, metadata } = decodeCheckpoint(readFileSync(last), last);
  expect(metadata).toMatchObject({ position: { step: 0 } });
  const tensors = Object.values(params).flatMap((node) => Object.values(node));
  expect(tensors.every(({ data }) => data.every(Number.isFinite))).toBe(true);
});

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeCheckpoint } from '@cert/models';
import { expect, it } from 'vitest';
import { resolveConfig } from '../config/preset.js';
import { runFiles } from './folder.js';
import { startRun } from './run.js';

it.each([
  // A millionth of a minute: every step is later than that.
  [1e-6, [1, 2, 2, 4, 5, 5]],
  [10, [0, 0, 0, 3, 3, 3]],
  [null, [0, 0, 0, 3, 3, 3]],
])(
  'with checkpoints every %j minutes the last one is of these steps, and never of the last of an epoch before its end',
  async (checkpointMinutes, expected) => {
    const folder = await mkdtemp(join(tmpdir(), 'cert-minutes-'));
    const config = resolveConfig({
      ...{ device: 'tfjs', limit: 20, batchSize: 8, epochs: 2, attackRestarts: 0 },
      ...{ width: 2, dense: 4, checkpointMinutes },
    });
    const { last } = runFiles(folder);
    /** The step of the last checkpoint, and whether it is inside of an epoch. */
    const saved = () => {
      const { position } = decodeCheckpoint(readFileSync(last), last).metadata as {
        position: { step: number; sums: object };
      };
      return { step: position.step, inside: Object.keys(position.sums).length > 0 };
    };
    const steps: ReturnType<typeof saved>[] = [];
    const epochs: ReturnType<typeof saved>[] = [];
    await startRun(config, {
      folder,
      onEvent({ type }) {
        if (type === 'step') steps.push(saved());
        if (type === 'epoch') epochs.push(saved());
      },
    });
    expect(steps).toEqual(expected.map((step) => ({ step, inside: step % 3 !== 0 })));
    expect(epochs).toEqual([3, 6].map((step) => ({ step, inside: false })));
    await rm(folder, { recursive: true });
  },
);

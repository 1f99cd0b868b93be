/** Runs whose files cannot be written: /dev/full stands in for a full disk. */
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCheckpoint } from '@cert/models/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveConfig } from '../config/preset.js';
import type { RunEvent } from './event.js';
import { runFiles } from './folder.js';
import { resumeRun, startRun } from './run.js';

let place: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-full-'));
});
afterEach(() => rm(place, { recursive: true }));

const config = resolveConfig({
  ...{ device: 'tfjs', limit: 20, batchSize: 8, epochs: 2, attackRestarts: 0 },
  ...{ width: 2, dense: 4 },
});

const stateOf = async (path: string) => {
  const { params, extra } = await loadCheckpoint(path);
  return { params, extra };
};

describe.skipIf(!existsSync('/dev/full'))('on a full disk (skipped where there is no /dev/full)', () => {
  /** Trains until writing a file fails: it leads to /dev/full from the first step on. */
  async function trainUntilFull(folder: string, file: string) {
    const events: RunEvent[] = [];
    const onEvent = (event: RunEvent) => {
      events.push(event);
      if (event.type === 'step' && event.step === 4) symlinkSync('/dev/full', file);
    };
    const error: unknown = await startRun(config, { folder, onEvent }).catch((caught) => caught);
    return { error, events };
  }

  it('a checkpoint that cannot be written leaves the one before it, which the run continues from', async () => {
    const [calm, folder] = [join(place, 'calm'), join(place, 'run')];
    await startRun(config, { folder: calm });
    const { last } = runFiles(folder);
    const temporary = `${last}.${process.pid}.tmp`;
    const { error, events } = await trainUntilFull(folder, temporary);
    expect(error).toMatchObject({
      code: 'bad-file',
      problem: `${last} cannot be written: ENOSPC: no space left on device, write.`,
      cure: `Free space on the disk: it is full. The last checkpoint is intact. Continue with --resume ${folder}.`,
    });
    expect(events.at(-1)).toMatchObject({ type: 'failed', message: expect.stringContaining('ENOSPC') });
    expect((await loadCheckpoint(last)).metadata).toMatchObject({ position: { step: 3 } });
    expect(await readdir(runFiles(folder).checkpoints)).toEqual(['best.safetensors', 'last.safetensors']);

    await resumeRun({ folder });
    expect(await stateOf(last)).toEqual(await stateOf(runFiles(calm).last));
  });

  it.each(['metrics', 'log'] as const)(
    'a line for the file %s that cannot be written ends the run with its name',
    async (name) => {
      const folder = join(place, 'run');
      const file = runFiles(folder)[name];
      const events: RunEvent[] = [];
      const onEvent = (event: RunEvent) => {
        events.push(event);
        if (event.type !== 'step' || event.step !== 4) return;
        rmSync(file);
        symlinkSync('/dev/full', file);
      };
      await expect(startRun(config, { folder, onEvent })).rejects.toMatchObject({
        code: 'bad-file',
        problem: `${file} cannot be written: ENOSPC: no space left on device, write.`,
        cure: expect.stringContaining(`Continue with --resume ${folder}.`),
      });
      expect(events.at(-1)?.type).toBe('failed');
      await loadCheckpoint(runFiles(folder).last);
      await rm(file);
      expect(await resumeRun({ folder })).toMatchObject({ epochs: 2 });
    },
  );
});

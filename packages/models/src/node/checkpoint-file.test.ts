import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '@cert/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkpoint, model } from '../../test/example-checkpoint.js';
import { encodeCheckpoint } from '../index.js';
import { loadCheckpoint, saveCheckpoint } from './index.js';

describe('saveCheckpoint and loadCheckpoint', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-models-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('go through a file and leave nothing else in the folder', async () => {
    const path = join(folder, 'last.safetensors');
    await saveCheckpoint(path, { ...checkpoint, metadata: 'the first' });
    await saveCheckpoint(path, checkpoint);
    expect(await loadCheckpoint(path)).toEqual({ ...checkpoint, checksum: 'verified' });
    expect(await readdir(folder)).toEqual(['last.safetensors']);
  });

  it('keep the old file when the new one cannot be made', async () => {
    const path = join(folder, 'last.safetensors');
    await saveCheckpoint(path, checkpoint);
    const before = await readFile(path);
    const broken: Model = { ...model, nodes: model.nodes.slice(0, -1) };
    await expect(saveCheckpoint(path, { ...checkpoint, model: broken })).rejects.toThrow('dense2');
    expect((await readFile(path)).equals(before)).toBe(true);
    expect(await readdir(folder)).toEqual(['last.safetensors']);
  });

  it('say that a folder is missing', async () => {
    const path = join(folder, 'none', 'last.safetensors');
    await expect(saveCheckpoint(path, checkpoint)).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining(path),
    });
  });

  it('leave no temporary file when the rename fails', async () => {
    // The path is a folder, so the content is written beside it and cannot take its place.
    await expect(saveCheckpoint(folder, checkpoint)).rejects.toMatchObject({ code: 'bad-file' });
    expect((await readdir(tmpdir())).filter((name) => name.startsWith(`${folder.split('/').at(-1)}.`))).toEqual([]);
  });

  it('name a file that is missing or cut short', async () => {
    const path = join(folder, 'last.safetensors');
    await expect(loadCheckpoint(path)).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining(path),
    });
    const bytes = encodeCheckpoint(checkpoint);
    await writeFile(path, bytes.subarray(0, bytes.length - 10));
    await expect(loadCheckpoint(path)).rejects.toThrow(
      `${path} is truncated: it has ${bytes.length - 10} bytes and should have ${bytes.length}.`,
    );
  });
});

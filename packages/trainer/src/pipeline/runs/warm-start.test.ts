import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DecodedCheckpoint, decodeCheckpoint } from '@cert/models';
import { loadCheckpoint } from '@cert/models/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Choices, resolveConfig } from '../config/preset.js';
import type { RunConfig } from '../config/run-config.js';
import { readRunConfig, runFiles } from './folder.js';
import { resumeRun, startRun } from './run.js';

/** Two epochs of three steps. */
const small: Choices = {
  ...{ device: 'tfjs', limit: 20, batchSize: 8, epochs: 2, attackRestarts: 0, width: 2, dense: 4 },
};

let place: string;
let source: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-warm-'));
  source = join(place, 'source');
  await startRun(resolveConfig({ ...small, epochs: 1, seed: 7 }), { folder: source });
});
afterAll(() => rm(place, { recursive: true, force: true }));

const hashOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Trains, and returns the checkpoint before the first step. */
async function firstState(config: RunConfig, folder: string): Promise<DecodedCheckpoint> {
  let first: DecodedCheckpoint | undefined;
  const { last } = runFiles(folder);
  await startRun(config, {
    folder,
    onEvent({ type }) {
      if (type === 'start') first = decodeCheckpoint(readFileSync(last), last);
    },
  });
  return first!;
}

describe('a warm start', () => {
  it('begins with the parameters and statistics of the checkpoint, a new optimizer, and a record of the file', async () => {
    const folder = join(place, 'of-folder');
    const { last } = runFiles(source);
    const [old, first] = [
      await loadCheckpoint(last),
      await firstState(resolveConfig({ ...small, warmStart: source, optimizer: 'radam' }), folder),
    ];
    expect(first.params).toEqual(old.params);
    expect(first.stats).toEqual(old.stats);
    expect(JSON.stringify(old.stats)).not.toBe(
      JSON.stringify((await firstState(resolveConfig({ ...small, seed: 7 }), join(place, 'cold'))).stats),
    );
    const { optimizer } = first.extra ?? {};
    const { mean } = optimizer as { readonly mean: DecodedCheckpoint['params'] };
    for (const tensors of Object.values(mean)) {
      for (const { data } of Object.values(tensors)) expect(data.every((value) => value === 0)).toBe(true);
    }
    expect(first.metadata).toMatchObject({ position: { step: 0 }, best: null });
    const config = await readRunConfig(folder);
    expect(config).toMatchObject({ warmStart: source, warmStartSha256: hashOf(last) });
    expect(await readFile(runFiles(folder).log, 'utf8')).toContain(`, from the weights of ${source}\n`);
    // The record is a configuration that starts from the same file, or not at all.
    expect(await firstState(config, join(place, 'again'))).toMatchObject({ params: old.params });
  });

  it('resumes without the file, to the same weights', async () => {
    const file = join(place, 'moved.safetensors');
    await cp(runFiles(source).last, file);
    const config = resolveConfig({ ...small, warmStart: file });
    const [calm, rough] = [join(place, 'calm'), join(place, 'rough')];
    await startRun(config, { folder: calm });
    const abort = new AbortController();
    const onEvent = ({ type }: { readonly type: string }) => type === 'step' && abort.abort();
    expect(await startRun(config, { folder: rough, onEvent, signal: abort.signal })).toBeNull();
    await rm(file);
    await resumeRun({ folder: rough });
    const [a, b] = await Promise.all([calm, rough].map((folder) => loadCheckpoint(runFiles(folder).last)));
    expect([b?.params, b?.stats, b?.extra]).toEqual([a?.params, a?.stats, a?.extra]);
  });

  it.each<[string, () => Choices, string, RegExp]>([
    [
      'another width',
      () => ({ warmStart: source, width: 3 }),
      'shape-mismatch',
      /^The models differ: params of node "conv1" is .* in .*last\.safetensors and .* in the model of this run\.$/,
    ],
    [
      'another architecture',
      () => ({ warmStart: source, model: 'mlp' }),
      'shape-mismatch',
      /^The models differ: node 1 is "conv1" \("conv2d"\) in .* and "flatten" \("flatten"\) in the model of this run\.$/,
    ],
    [
      'a missing file',
      () => ({ warmStart: join(place, 'none.safetensors') }),
      'bad-file',
      /^--warm-start is ".*none\.safetensors", but .*none\.safetensors cannot be read: ENOENT/,
    ],
    [
      'a folder without a run',
      () => ({ warmStart: place }),
      'bad-file',
      /^--warm-start is ".*", but .*checkpoints.last\.safetensors cannot be read/,
    ],
    [
      'another file',
      () => ({ warmStart: source, warmStartSha256: 'a'.repeat(64) }),
      'bad-file',
      /^.*last\.safetensors has the SHA-256 [0-9a-f]{64}, but --warm-start-sha256 is a{64}\.$/,
    ],
  ])('refuses %s before anything is written', async (_name, choices, code, problem) => {
    const folder = join(place, 'refused');
    const run = startRun(resolveConfig({ ...small, ...choices() }), { folder });
    await expect(run).rejects.toMatchObject({ code, problem: expect.stringMatching(problem) });
    expect(existsSync(folder)).toBe(false);
  });

  it('refuses a damaged file', async () => {
    const file = join(place, 'damaged.safetensors');
    const bytes = await readFile(runFiles(source).last);
    bytes[bytes.length - 3]! ^= 1;
    await writeFile(file, bytes);
    await expect(
      startRun(resolveConfig({ ...small, warmStart: file }), { folder: join(place, 'refused') }),
    ).rejects.toMatchObject({ code: 'bad-file', problem: expect.stringContaining('was modified or damaged') });
  });

  it.each<[Choices, string]>([
    [{ warmStart: 'a', init: 'kaiming' }, 'An initialization ("kaiming") and --warm-start were both given.'],
    [{ warmStartSha256: 'a'.repeat(64) }, '--warm-start-sha256 was given without --warm-start.'],
    [{ warmStart: 'a', warmStartSha256: 'A1' }, '--warm-start-sha256 is "A1".'],
  ])('refuses %o', (choices, problem) => {
    expect(() => resolveConfig(choices)).toThrow(expect.objectContaining({ code: 'bad-argument', problem }));
  });
});

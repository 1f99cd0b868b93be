import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dense, sequential, tf } from '@cert/core';
import { eagerDevice } from '@cert/jit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { apgdT } from '../attack/apgd.js';
import type { Attack } from '../attack/attack.js';
import { square } from '../attack/square.js';
import { evaluateImages } from './evaluate-file.js';
import { VERSION } from './version.js';

let place: string;
beforeAll(async () => {
  await tf.ready();
  place = await mkdtemp(join(tmpdir(), 'cert-attacks-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The margin of class 0 is 2x - 1. */
const evaluate = (
  file: string,
  attacks: readonly Attack[],
  names: readonly string[],
  images: readonly number[] = [0.9, 0.55, 0.4],
  more: Partial<Parameters<typeof evaluateImages>[0]> = {},
) =>
  evaluateImages({
    ...{ device: eagerDevice(), model: sequential([1], [dense(2)]), stats: {}, verifiers: [], batchSize: 4, attacks },
    params: {
      dense1: {
        kernel: { shape: [1, 2], data: Float32Array.of(1, -1) },
        bias: { shape: [2], data: Float32Array.of(0, 1) },
      },
    },
    split: {
      ...{ shape: [1], classes: 2, count: 3, scale: 1 },
      ...{ images: Float32Array.from(images), labels: Uint8Array.of(0, 0, 0) },
    },
    settings: {
      ...{ checkpoint: 'abc', dataset: 'rows', epsilon: 0.1, methods: [], complete: false },
      attack: { name: 'both', attacks: names, seed: 0 },
    },
    file: join(place, file),
    ...more,
  });

it('runs the attacks that the settings name, and says which one broke an image', async () => {
  const attacks = [square({ queries: 5 }), apgdT({ steps: 5 })];
  const summary = await evaluate('both.jsonl', attacks, ['square', 'apgd-t']);
  expect(summary.pgdError?.count).toBe(2);
  const [header, ...lines] = (await readFile(join(place, 'both.jsonl'), 'utf8')).trimEnd().split('\n');
  expect(JSON.parse(header!).attack).toEqual({ name: 'both', attacks: ['square', 'apgd-t'], seed: 0 });
  const results = lines.map((line) => JSON.parse(line)).sort((a, b) => a.index - b.index);
  expect(results.map(({ attack }) => [attack?.found, attack?.by])).toEqual([
    [false, undefined],
    [true, 'square'],
    [undefined, undefined],
  ]);
});

it('does not continue with other data under the same names and labels', async () => {
  const attacks = [square({ queries: 5 })];
  await evaluate('data.jsonl', attacks, ['square']);
  expect(await evaluate('data.jsonl', attacks, ['square'])).toMatchObject({ before: 3 });
  await expect(evaluate('data.jsonl', attacks, ['square'], [0.9, 0.1, 0.4])).rejects.toMatchObject({
    code: 'bad-file',
    problem: expect.stringContaining('input 1 has other values in the dataset than when it was evaluated'),
  });
});

it('records its version, and does not continue what another one computed', async () => {
  const file = join(place, 'version.jsonl');
  const attacks = [square({ queries: 5 })];
  expect((await evaluate('version.jsonl', attacks, ['square'])).settings.version).toBe(VERSION);
  const [header, ...lines] = (await readFile(file, 'utf8')).split('\n');
  expect(JSON.parse(header!)).toMatchObject({ version: VERSION });
  for (const version of ['0.0.9', undefined]) {
    await writeFile(file, [JSON.stringify({ ...JSON.parse(header!), version }), ...lines].join('\n'));
    await expect(evaluate('version.jsonl', attacks, ['square'])).rejects.toMatchObject({
      code: 'run-exists',
      problem: expect.stringContaining(`, not cert ${VERSION}.`),
    });
  }
});

it.each([
  [[], ['square']],
  [[square()], []],
  [
    [square(), apgdT()],
    ['apgd-t', 'square'],
  ],
])('refuses other attacks than those that the file would name', async (attacks, names) => {
  await expect(evaluate('other.jsonl', attacks, names)).rejects.toMatchObject({
    code: 'bad-argument',
    problem: expect.stringContaining(`name the attacks [${names.join(', ')}]`),
  });
});

it('refuses certificates at nearest before it discards earlier results', async () => {
  const file = join(place, 'kept.jsonl');
  const attacks = [square({ queries: 5 })];
  await evaluate('kept.jsonl', attacks, ['square']);
  const before = await readFile(file, 'utf8');
  const certificates = { folder: join(place, 'certificates'), checkpoint: new Uint8Array() };
  await expect(
    evaluate('kept.jsonl', attacks, ['square'], undefined, { overwrite: true, certificates }),
  ).rejects.toMatchObject({ problem: expect.stringContaining('with the arithmetic nearest') });
  expect(await readFile(file, 'utf8')).toBe(before);
});

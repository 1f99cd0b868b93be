/**
 * The command on damaged folders: it ends well or with the exit status of a user's mistake, and shows no stack. `npm run fuzz` tries
 * 67 folders of each kind; FUZZ_SEED begins another sequence.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { CertError, type Rng } from '@cert/core';
import { decodeSafetensors, encodeSafetensors } from '@cert/models';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutateBytes } from '../../../fuzz/mutate-bytes.js';
import { mutateJson } from '../../../fuzz/mutate-json.js';
import { CASES, survives } from '../../../fuzz/survives.js';
import { cert, train } from '../test/cert.js';

/** Each starts a device and may compute: one for 150 of the files of other tests. */
const cases = Math.ceil(CASES / 150);
const EVAL = ['--attack-restarts', '0', '--limit', '4', '--methods', 'ibp', '--device', 'tfjs'];

let place: string;
let run: string;
let saved: Uint8Array;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-fuzz-'));
  const whole = join(place, 'whole');
  expect(await train(whole, '--attack-restarts', '0')).toMatchObject({ status: 0 });
  run = join(place, 'run');
  await cp(whole, run, { recursive: true });
  saved = await readFile(runFiles(whole).last);
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The file of the run as it was, before each command. */
const original = (file: string) => readFile(join(place, 'whole', file.slice(run.length + 1)));

/** Puts a damaged file into the run, whole otherwise, and runs commands on it. */
async function commands(file: string, content: string | Uint8Array, ...lines: readonly (readonly string[])[]) {
  const { config, last, metrics } = runFiles(run);
  for (const other of [config, last, metrics]) await writeFile(other, other === file ? content : await original(other));
  let refused: string | undefined;
  for (const args of lines) {
    const { status, err } = await cert(...args);
    const shown = `${args.join(' ')}: status ${status}, ${err.slice(0, 600)}`;
    if (status !== 0 && status !== 1) throw new Error(shown);
    if (err.includes('\n    at ')) throw new Error(`a stack: ${shown}`);
    if (status === 1) refused = err.slice(0, 1900);
  }
  // As survives() wants it: what the user was told.
  if (refused !== undefined) throw new CertError('bad-file', refused, '');
}

/** The checkpoint without its checksum, and so with nothing that ties it to a configuration. */
function forged(change: (metadata: Readonly<Record<string, string>>) => Record<string, string>): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(saved);
  const { sha256: _, ...strings } = metadata;
  return encodeSafetensors({ tensors, metadata: { ...strings, format: 'cert-checkpoint-1', ...change(strings) } });
}

/** The memory is that of TensorFlow.js; of a few folders all may end well. */
const limits = { cases, mostMs: 20_000, mostMemory: 1_500_000, leastRefused: -1 };

describe(`commands survive ${cases} damaged folders of a kind`, { timeout: 60_000 + 100 * CASES }, () => {
  const resume = () => ['train', '--resume', run];
  const evaluate = () => ['eval', run, ...EVAL, '--out', join(place, 'a.jsonl'), '--overwrite'];
  const relu = () => ['diagnose', 'relu', run, '--out', join(place, 'relu')];

  it.each<[string, (text: string, rng: Rng) => string | Uint8Array]>([
    ['structure', (text, rng) => mutateJson(JSON.parse(text), rng)],
    ['bytes', (text, rng) => mutateBytes(Buffer.from(text), rng)],
  ])('config.json, %s', async (part, damage) => {
    const { config } = runFiles(run);
    const text = (await original(config)).toString();
    await survives(
      `command config ${part}`,
      (rng) => damage(text, rng),
      (content) => commands(config, content, resume(), evaluate(), relu()),
      limits,
    );
  });

  it('config.json beside a checkpoint that goes with any', async () => {
    const { config } = runFiles(run);
    const text = (await original(config)).toString();
    const file = join(place, 'any', 'checkpoints', 'last.safetensors');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(
      file,
      forged(({ metadata }) => ({ metadata: JSON.stringify({ ...JSON.parse(metadata!), config: undefined }) })),
    );
    await survives(
      'command config without a hash',
      (rng) => mutateJson(JSON.parse(text), rng),
      async (content) => {
        await writeFile(join(place, 'any', basename(config)), content);
        await commands(config, text, ['eval', file, ...EVAL, '--out', join(place, 'b.jsonl'), '--overwrite']);
      },
      limits,
    );
  });

  it('a checkpoint, bytes', () =>
    survives(
      'command checkpoint',
      (rng) => mutateBytes(saved, rng),
      (content) => commands(runFiles(run).last, content, resume(), evaluate()),
      limits,
    ));

  it('a checkpoint with another model', () =>
    survives(
      'command model',
      (rng) => forged(({ model }) => ({ model: mutateJson(JSON.parse(model!), rng) })),
      (content) => commands(runFiles(run).last, content, resume(), evaluate()),
      limits,
    ));

  it('a checkpoint that says something else of where training stood', () =>
    survives(
      'command progress',
      (rng) => forged(({ metadata }) => ({ metadata: mutateJson(JSON.parse(metadata!), rng) })),
      (content) => commands(runFiles(run).last, content, resume()),
      limits,
    ));

  it('metrics.jsonl', async () => {
    const { metrics } = runFiles(run);
    const lines = (await original(metrics)).toString().trimEnd().split('\n');
    await survives(
      'command metrics',
      (rng) => lines.map((line) => `${rng.int(3) === 0 ? line : mutateJson(JSON.parse(line), rng)}\n`).join(''),
      (content) => commands(metrics, content, relu(), resume(), relu()),
      limits,
    );
  });

  it('the lines of an evaluation', async () => {
    const out = join(place, 'lines.jsonl');
    const args = ['eval', run, ...EVAL, '--out', out];
    await rm(out, { force: true });
    expect(await cert(...args)).toMatchObject({ status: 0 });
    const lines = (await readFile(out, 'utf8')).trimEnd().split('\n');
    const summary = JSON.parse(await readFile(out.replace('.jsonl', '.json'), 'utf8'));
    await survives(
      'command lines',
      (rng) => lines.map((line) => `${rng.int(2) === 0 ? line : mutateJson(JSON.parse(line), rng)}\n`).join(''),
      async (content) => {
        await writeFile(out, content);
        await commands('', '', args);
        const { methods, images } = JSON.parse(await readFile(out.replace('.jsonl', '.json'), 'utf8'));
        expect([methods, images]).toEqual([summary.methods, summary.images]);
      },
      limits,
    );
  });
});

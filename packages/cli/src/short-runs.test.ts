/** Runs of a few steps: they train at the full rate first, and say what a few steps cannot do. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cert } from '../test/cert.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-short-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

const SMALL = ['--device', 'tfjs', '--width', '2', '--dense', '4', '--attack-restarts', '0'];

it.each([
  [1, [0.002]],
  [2, [0.002, 0.0004]],
  [3, [0.002, 0.002, 0.0004]],
])('cert train --epochs %i trains at the full rate first', async (epochs, rates) => {
  const out = join(place, `epochs-${epochs}`);
  const args = ['--out', out, '--epochs', String(epochs), '--limit', '20', ...SMALL];
  expect(await cert('train', ...args)).toMatchObject({ status: 0, err: '' });
  const lines = (await readFile(runFiles(out).metrics, 'utf8')).trimEnd().split('\n');
  const found = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'epoch');
  expect(found.map(({ learningRate }) => learningRate)).toEqual(rates);
});

it('a ramp of two steps gets a warning before the first step, and what came of it a verdict at the end', async () => {
  const out = join(place, 'short');
  const args = ['--out', out, '--epochs', '1', '--limit', '100', '--epsilon', '0.9', ...SMALL];
  const { status, out: text, err } = await cert('train', ...args);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  const lines = text.split('\n');
  const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
  const places = [
    at(/^Warning: The ramp is short: the radius grows to 0\.9 within 2 steps \(1 epoch\)/),
    at(/^Warning: The radius 0\.9 is reached only after the last step/),
    at(/^epoch 1 /),
    at(
      /^Warning: .*Likely reason: the radius grows to 0\.9 within 2 steps .* Try this: raise --limit, or raise --epochs/,
    ),
    at(/^standard error /),
  ];
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(await readFile(runFiles(out).log, 'utf8')).toContain('Likely reason: ');
});

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-quickstart-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

const start = (...options: string[]) =>
  run('npm', ['start', '--silent', '--prefix', folder, '--', ...options], { cwd: place });

it('trains both methods, prints them side by side and keeps their numbers', async () => {
  const { stdout } = await start('--compare', '--epochs', '1', '--limit', '64', '--seed', '3');
  expect(stdout.match(/^epoch 1 /gm)).toHaveLength(2);
  expect(stdout).toMatch(/^standard error +[\d.]+ % +[\d.]+ %$/m);
  expect(stdout).toMatch(/^PGD error \(40 steps, 3 restarts\) +[\d.]+ % +[\d.]+ %$/m);
  expect(stdout).toMatch(/^verified error \(IBP\) +[\d.]+ % +[\d.]+ %$/m);
  const runs = (await readdir(join(place, 'runs'))).sort();
  expect(runs).toEqual(['digits-deep-fast-seed3', 'digits-deep-vanilla-seed3']);
  for (const name of runs) {
    const summary = JSON.parse(await readFile(join(place, 'runs', name, 'summary.json'), 'utf8'));
    expect(summary).toMatchObject({ seed: 3, images: 64, trainImages: 64, epsilon: 0.2 });
    const { standardError, pgdError, verifiedError } = summary;
    expect(standardError).toBeLessThanOrEqual(pgdError);
    expect(pgdError).toBeLessThanOrEqual(verifiedError);
    expect(summary.trainSeconds).toBeGreaterThan(0);
    expect(['cpu', 'tfjs']).toContain(summary.device);
  }
});

it('trains the small network alone, or another preset', async () => {
  const { stdout } = await start('--epochs', '1', '--limit', '64');
  expect(stdout).toMatch(/^epsilon +0\.1$/m);
  expect(await readdir(join(place, 'runs'))).toContain('digits-quick-fast-seed0');
  const other = await start('--preset', 'digits/deep', '--epochs', '1', '--limit', '64');
  expect(other.stdout).toMatch(/^epsilon +0\.2$/m);
});

it.each([
  [['--preset', 'digits/dep'], 'Did you mean "digits/deep"?'],
  [['--seed=-1'], '--seed is -1.'],
  [['--seeds', '1'], "Unknown option '--seeds'"],
])('refuses %o in words', async (options, message) => {
  await expect(start(...options)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
});

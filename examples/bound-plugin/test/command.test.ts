/** What a user of the plug-in types. The command is the built one, and so is the plug-in. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const manifest = fileURLToPath(import.meta.resolve('@cert/cli/package.json'));
const cli = join(dirname(manifest), 'dist', 'cli.js');
const here = fileURLToPath(new URL('..', import.meta.url));

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-zonotope-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

const cert = (...args: string[]) => promisify(execFile)(process.execPath, [cli, ...args], { cwd: here });
const small = ['--limit', '400', '--epochs', '4', '--batch-size', '32', '--attack-restarts', '1', '--epsilon', '0.03'];
const train = (folder: string, ...options: string[]) =>
  cert('train', '--plugin', '.', '--model', 'pooled-mlp', ...small, '--out', join(place, folder), ...options);
const summary = async (folder: string) => JSON.parse(await readFile(join(place, folder, 'summary.json'), 'utf8'));

it('trains, resumes, evaluates and diagnoses, with the plug-in named once', { timeout: 120_000 }, async () => {
  const { stdout } = await train('own', '--method', 'zonotope');
  expect(stdout).toContain('verified error (ZONOTOPE)');
  const { verifiedError, standardError } = await summary('own');
  expect(standardError).toBeLessThan(0.6);
  expect(verifiedError).toBeLessThan(0.9);

  await cert('train', '--resume', join(place, 'own'), '--trust');
  const { stdout: json } = await cert(
    'eval',
    join(place, 'own'),
    '--limit',
    '60',
    '--complete',
    '--attack-steps',
    '10',
    '--json',
    '--trust',
  );
  const { methods } = JSON.parse(json);
  expect(Object.keys(methods)).toEqual(['ibp', 'crown-ibp', 'zonotope', 'crown']);
  expect(methods.zonotope.verified).toBeGreaterThanOrEqual(methods.ibp.verified);
  await cert('diagnose', 'relu', join(place, 'own'), '--trust');
  await cert('diagnose', 'init', '--plugin', '.', '--model', 'pooled-mlp', '--out', join(place, 'init'));
});

it.each(['fast', 'crown-ibp', 'natural', 'pgd'])('its op is known to %s', { timeout: 120_000 }, async (method) => {
  await train(method, '--method', method, '--limit', '64', '--epochs', '2');
  expect((await summary(method)).images).toBe(64);
});

it('its bounds go with other methods', { timeout: 120_000 }, async () => {
  await train('both', '--method', 'fast', '--bound', 'zonotope', '--limit', '64', '--epochs', '2');
  expect(await summary('both')).toMatchObject({ method: 'fast', bound: 'zonotope' });
});

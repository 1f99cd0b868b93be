/** The networks of `zoo/`: the files are those that its README tells of, and they say of themselves what it says. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkCertificate } from '@cert/check';
import { decodeCheckpoint } from '@cert/models';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { main } from '../../packages/cli/src/main.js';
import { root } from './markdown.js';

const folder = join(root, 'zoo');
const text = await readFile(join(folder, 'README.md'), 'utf8');
const files = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
const bytesOf = (name: string) => readFile(join(folder, name));

/** The cells of the row of a table that begins with a file. */
const rowsOf = (name: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`| \`${name}\``))
    .map((line) => line.split('|').map((cell) => cell.trim()));

/** What a network says of itself. */
async function factsOf(name: string): Promise<{ readonly [key: string]: unknown }> {
  const { metadata } = decodeCheckpoint(await bytesOf(name), name);
  return { ...(metadata as object) };
}

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-zoo-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

async function cert(...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const terminal = { out: (line: string) => void lines.push(line), err: () => {}, screen: null };
  expect([args, await main([...args, '--quiet'], terminal, new AbortController().signal)]).toEqual([args, 0]);
  return lines.join('\n');
}

it('has at most 2 MB', async () => {
  expect(files.length).toBeGreaterThan(1);
  const sizes = await Promise.all(files.map(async (name) => (await bytesOf(name)).length));
  expect(sizes.reduce((a, b) => a + b)).toBeLessThan(2e6);
});

it.each(files)('%s is the file of the README, with its dataset, radius and errors', async (name) => {
  const [errors, hash] = rowsOf(name);
  expect(hash).toContain(
    `\`${createHash('sha256')
      .update(await bytesOf(name))
      .digest('hex')}\``,
  );
  const facts = await factsOf(name);
  const percent = (key: string) => (100 * Number(facts[key])).toFixed(2);
  expect(errors).toEqual(
    expect.arrayContaining([facts['cert.epsilon'], percent('cert.standard_error'), percent('cert.verified_error')]),
  );
});

it('has errors that cert eval finds again', async () => {
  const data = join(root, 'examples', 'tabular', 'data', 'breast-cancer.csv');
  const name = 'breast-cancer.cert.safetensors';
  const options = ['--data', data, '--methods', 'ibp', '--attack-restarts', '0', '--device', 'cpu', '--json'];
  const found = JSON.parse(await cert('eval', join(folder, name), ...options, '--out', join(place, 'rows.jsonl')));
  const facts = await factsOf(name);
  expect(found.standardError.fraction).toBeCloseTo(Number(facts['cert.standard_error']), 10);
  expect(found.methods.ibp.verifiedError.fraction).toBeCloseTo(Number(facts['cert.verified_error']), 10);
});

it('has networks whose certificates the checker proves again', async () => {
  // Digits of the package mnist, which needs no download.
  const name = files.find((file) => file.startsWith('mnist-'))!;
  const certificate = join(place, 'digit.cert.json');
  const image = ['--dataset', 'digits', '--index', '1', '--epsilon', '0.1', '--timeout', '60', '--device', 'cpu'];
  expect(await cert('verify', join(folder, name), ...image, '--certificate', certificate)).toMatch(/^unsat$/m);
  const verdict = await checkCertificate(await readFile(certificate, 'utf8'), () => bytesOf(name));
  expect(verdict).toMatchObject({ holds: true, level: 'deployed' });
});

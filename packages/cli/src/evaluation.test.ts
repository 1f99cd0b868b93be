import { type ChildProcess, spawn } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { checkCertificate } from '@cert/check';
import { initialStats, tf } from '@cert/core';
import { xavierInit } from '@cert/init';
import { deviceNames, openDevice } from '@cert/jit/node';
import { mlp } from '@cert/models';
import { saveCheckpoint } from '@cert/models/node';
import { VERIFIERS } from '@cert/trainer/pipeline';
import type { Certificate, ImageResult } from '@cert/verify';
import type { EvaluationSummary } from '@cert/verify/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { main } from './main.js';

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
let place: string;
let checkpoint: string;
beforeAll(async () => {
  await tf.ready();
  place = await mkdtemp(join(tmpdir(), 'cert-evaluate-'));
  checkpoint = join(place, 'net.safetensors');
  const model = mlp({ inputShape: [28, 28, 1], classes: 10, hidden: [30, 30] });
  const stats = initialStats(model);
  await saveCheckpoint(checkpoint, { model, params: xavierInit(model, 2), stats });
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** A radius at which some images of this untrained network are broken, some verified by each method and some neither. */
const OPTIONS = ['--epsilon', '0.004', '--attack-steps', '10', '--attack-restarts', '2', '--eval-batch-size', '20'];
const evalArgs = (file: string, ...more: string[]) => ['eval', checkpoint, ...OPTIONS, '--out', file, ...more];

/** Runs the command in this process. @returns its exit status and what it printed */
async function cert(
  args: readonly string[],
  { signal = new AbortController().signal, onLine = (_: string) => {} } = {},
) {
  const lines: string[] = [];
  const out = (line: string) => {
    lines.push(line);
    onLine(line);
  };
  return { status: await main(args, { out, err: out, screen: null }, signal), out: lines.join('\n') };
}

/** The verdicts, which do not depend on how an evaluation was interrupted. Where an attack succeeds first does. */
async function verdicts(file: string) {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n').slice(1);
  return lines
    .map((line): ImageResult => JSON.parse(line))
    .sort((a, b) => a.index - b.index)
    .map(({ index, prediction, verifiedBy, attack }) => [index, prediction, verifiedBy, attack?.found ?? null]);
}

it('killed at any moment, stopped by Ctrl-C and started again, comes to the same verdicts', async () => {
  const device = await openDevice(deviceNames.includes('cpu') ? 'cpu' : 'tfjs');
  await device.dispose();
  // At deployed CROWN verifies no more than CROWN-IBP.
  const more = ['--limit', '300', '--device', device.name, '--arithmetic', 'nearest'];
  const [calm, rough] = [join(place, 'calm.jsonl'), join(place, 'rough.jsonl')];
  expect(await cert(evalArgs(calm, ...more))).toMatchObject({ status: 0 });
  const expected = await verdicts(calm);
  expect(new Set(expected.map(([, , verifiedBy]) => verifiedBy))).toEqual(new Set([null, 'ibp', 'crown-ibp', 'crown']));
  expect(new Set(expected.map(([, , , found]) => found))).toEqual(new Set([null, true, false]));

  const killed = await killAt(/^30 of /, evalArgs(rough, ...more));
  expect(killed).toBe('SIGKILL');
  const before = await verdicts(rough);
  await appendFile(rough, '{"index":299,"la');
  expect(before.length).toBeGreaterThanOrEqual(30);
  expect(before.length).toBeLessThan(300);

  const controller = new AbortController();
  const stopped = await cert(evalArgs(rough, ...more), {
    signal: controller.signal,
    onLine: (line) => void (/^\d+ of 300 images$/.test(line) && controller.abort()),
  });
  expect(stopped).toMatchObject({ status: 130, out: expect.stringMatching(/^Stopped after \d+ of 300 images\./m) });
  expect(stopped.out).toMatch(new RegExp(`^${before.length} of 300 images already evaluated.`));

  const { status, out } = await cert(evalArgs(rough, ...more, '--json'));
  expect(status).toBe(0);
  expect(await verdicts(rough)).toEqual(expected);
  const summary: EvaluationSummary = JSON.parse(out);
  const other: EvaluationSummary = JSON.parse(await readFile(join(place, 'calm.json'), 'utf8'));
  expect(summary.before).toBeGreaterThan(before.length);
  const { before: _b, seconds: _s, stageSeconds: _t, ...numbers } = summary;
  expect(other).toMatchObject(numbers);
}, 60_000);

/** Kills the command with SIGKILL when it prints a certain line. */
function killAt(line: RegExp, args: readonly string[]): Promise<NodeJS.Signals | null> {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--conditions=@cert/source', cli, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    if (text.split('\n').some((part) => line.test(part))) child.kill('SIGKILL');
  });
  return new Promise((resolve) => {
    child.on('close', (_, signal) => resolve(signal));
  });
}

it('the methods of the command have the names under which their margins are kept', () => {
  expect(Object.entries(VERIFIERS).map(([key, { name }]) => [key, name])).toEqual(
    Object.keys(VERIFIERS).map((name) => [name, name]),
  );
});

it('proves with rounding accounted for by default, and shows each arithmetic', async () => {
  const file = join(place, 'deployed.jsonl');
  const more = ['--limit', '300', '--methods', 'ibp,crown-ibp', '--attack-restarts', '0'];
  const { status, out } = await cert(evalArgs(file, ...more));
  expect(status).toBe(0);
  for (const level of ['nearest', 'real', 'deployed']) expect(out).toMatch(`verified error, arithmetic ${level}`);
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  expect(JSON.parse(lines[0]!)).toMatchObject({ arithmetic: 'deployed' });
  const results = lines.slice(1).map((line): ImageResult => JSON.parse(line));
  expect(new Set(results.map(({ verifiedBy }) => verifiedBy))).toEqual(new Set([null, 'ibp', 'crown-ibp']));
  for (const { verifiedBy, levels, lower } of results) {
    if (verifiedBy === null) continue;
    expect(levels![verifiedBy]!.deployed).toBe(lower[verifiedBy]);
    expect(lower[verifiedBy]).toBeGreaterThan(0);
  }
  expect(await cert(evalArgs(file, ...more, '--arithmetic', 'nearest'))).toMatchObject({
    status: 1,
    out: expect.stringContaining('arithmetic "deployed", not "nearest"'),
  });
  expect(await cert(evalArgs(file, ...more, '--arithmetic', 'exact'))).toMatchObject({
    status: 1,
    out: expect.stringContaining('--arithmetic is "exact".'),
  });
});

it('runs AutoAttack, and does not resume with another attack', async () => {
  const file = join(place, 'auto.jsonl');
  // So large that every image is broken at once.
  const args = ['eval', checkpoint, '--methods', 'none', '--epsilon', '0.3', '--limit', '20', '--out', file];
  const { status, out } = await cert([...args, '--attack', 'autoattack', '--seed', '3']);
  expect([status, out]).toEqual([
    0,
    expect.stringMatching(/^autoattack error \(apgd-ce, apgd-t, fab-t, square\) +100\.00 %/m),
  ]);
  const [header, ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const attacks = ['apgd-ce', 'apgd-t', 'fab-t', 'square'];
  expect(JSON.parse(header!).attack).toEqual({ name: 'autoattack', attacks, seed: 3 });
  const found = lines.map((line): ImageResult => JSON.parse(line)).filter(({ attack }) => attack !== null);
  expect(found.length).toBeGreaterThan(0);
  for (const { attack } of found) expect(attack).toMatchObject({ found: true, by: 'apgd-ce' });
  expect(await cert([...args, '--seed', '3'])).toMatchObject({
    status: 1,
    out: expect.stringContaining('was started with attack {"name":"autoattack"'),
  });
});

it('runs all four attacks of AutoAttack in a Euclidean set', async () => {
  const [set, file] = [join(place, 'l2.json'), join(place, 'l2.jsonl')];
  await writeFile(set, JSON.stringify({ kind: 'l2' }));
  const args = ['eval', checkpoint, '--methods', 'none', '--perturbation', set, '--epsilon', '0.1', '--limit', '20'];
  const { status, out } = await cert([...args, '--attack', 'autoattack', '--out', file]);
  expect([status, out]).toEqual([0, expect.stringMatching(/^autoattack error \(apgd-ce, apgd-t, fab-t, square\) /m)]);
  // Images that withstand all attacks.
  for (const name of ['apgd-ce', 'apgd-t', 'fab-t', 'square']) expect(out).toMatch(`attack ${name} `);
  const [header, ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n');
  expect(JSON.parse(header!)).toMatchObject({ perturbation: { kind: 'l2' }, attack: { name: 'autoattack' } });
  const results = lines.map((line): ImageResult => JSON.parse(line));
  expect(new Set(results.map(({ attack }) => attack?.found))).toContain(false);
});

it('writes a certificate for every verified image', async () => {
  const folder = join(place, 'certificates');
  const run = (...more: string[]) =>
    cert(
      evalArgs(join(place, 'certified.jsonl'), '--limit', '60', '--device', 'tfjs', '--attack-restarts', '0', ...more),
    );
  const { status, out } = await run('--certificates', folder);
  expect(status).toBe(0);
  const verified = (await verdicts(join(place, 'certified.jsonl'))).filter(([, , by]) => by !== null);
  expect(verified.length).toBeGreaterThan(2);
  expect(out).toContain(`Certificates: ${verified.length} in ${folder}`);
  const names = (await readdir(folder)).sort();
  expect(names).toEqual([
    ...verified.map(([index]) => `${String(index).padStart(5, '0')}.cert.json.gz`),
    'network.safetensors',
  ]);
  const textOf = async (name: string) => gunzipSync(await readFile(join(folder, name))).toString('utf8');
  const certificate: Certificate = JSON.parse(await textOf(names[0]!));
  expect(certificate).toMatchObject({
    ...{ format: 'cert-certificate-3', level: 'deployed', network: { path: 'network.safetensors' } },
    perturbation: { kind: 'linf', epsilon: '0.004', range: ['0', '1'] },
    about: { index: verified[0]![0], dataset: 'digits' },
  });
  expect(await readFile(join(folder, 'network.safetensors'))).toEqual(await readFile(checkpoint));
  // The checker shares no code with what wrote them.
  for (const name of names.slice(0, -1)) {
    expect(JSON.parse(await textOf(name)).sha256).toMatch(/^[0-9a-f]{64}$/);
    const verdict = await checkCertificate(await textOf(name), (path) => readFile(join(folder, path)));
    expect([name, verdict.holds, verdict.level, verdict.reason]).toEqual([name, true, 'deployed', undefined]);
  }

  // All are written again from the lines that are there; plain bounds claim nothing that a certificate could say.
  await rm(join(folder, names[0]!));
  expect((await run('--certificates', folder)).status).toBe(0);
  expect((await readdir(folder)).sort()).toEqual(names);
  // At a larger radius fewer images are verified: the others have no certificate, of whatever radius.
  const larger = await run('--certificates', folder, '--epsilon', '0.008', '--out', join(place, 'larger.jsonl'));
  const [, count] = /Certificates: (\d+) in /.exec(larger.out)!;
  expect(Number(count)).toBeLessThan(verified.length);
  expect(await readdir(folder)).toHaveLength(Number(count) + 1);
  expect((await run('--certificates', folder)).status).toBe(0);
  expect((await readdir(folder)).sort()).toEqual(names);
  const plain = await run('--certificates', folder, '--arithmetic', 'nearest', '--overwrite');
  expect(plain).toMatchObject({ status: 1, out: expect.stringContaining('which makes no claim about rounding') });
});

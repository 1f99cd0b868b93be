import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { clopperPearson } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, train } from '../../test/cert.js';
import { hasPty, inTerminal } from '../../test/pty.js';

let place: string;
let fast: string;
let vanilla: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-compare-'));
  [fast, vanilla] = [join(place, 'fast'), join(place, 'vanilla')];
  expect(await train(fast)).toMatchObject({ status: 0 });
  expect(await train(vanilla, '--method', 'vanilla', '--seed', '3')).toMatchObject({ status: 0 });
});
afterAll(() => rm(place, { recursive: true, force: true }));

const compare = (...args: string[]) => cert('compare', ...args);

it('prints the settings that differ and the errors with their intervals, and saves a figure', async () => {
  const out = join(place, 'compared');
  const compared = await compare(fast, vanilla, '--out', out);
  expect(compared).toMatchObject({ status: 0, err: '' });
  const [settings, errors] = compared.out
    .split('\n\n')
    .map((table) => table.split('\n').map((line) => line.split(/ {2,}/)));
  expect(settings![0]).toEqual(['setting', 'fast', 'vanilla']);
  expect(settings).toContainEqual(['method', 'fast', 'vanilla']);
  expect(settings).toContainEqual(['seed', '0', '3']);
  // What is the same in both does not exist.
  expect(settings!.map(([name]) => name)).not.toContain('epsilon');

  const { standardError, images } = JSON.parse(await readFile(runFiles(fast).summary, 'utf8'));
  const [lower, upper] = clopperPearson(Math.round(standardError * images), images);
  const percent = (x: number) => (100 * x).toFixed(2);
  expect(errors![1]!.slice(0, 2)).toEqual([
    'standard error',
    `${percent(standardError)} % [${percent(lower)}, ${percent(upper)}]`,
  ]);
  expect(errors!.map(([name]) => name)).toEqual([
    ...['error, 95 % interval', 'standard error', 'PGD error', 'verified error (IBP)', 'training time', 'state'],
  ]);
  expect(compared.out.split('\n').at(-1)).toBe(`compare.json and compare.svg are in ${out}`);
  expect(await readFile(join(out, 'compare.svg'), 'utf8')).toMatch(/^<svg .*vanilla.*<\/svg>\n$/s);
  const saved = JSON.parse(await readFile(join(out, 'compare.json'), 'utf8'));
  expect(saved.curves.map(({ epochs }: { epochs: unknown[] }) => epochs.length)).toEqual([2, 2]);

  const { out: json } = await compare(fast, vanilla, '--out', out, '--json');
  expect(JSON.parse(json)).toMatchObject({
    settings: { seed: [0, 3] },
    folder: out,
    runs: [{ name: 'fast' }, { name: 'vanilla' }],
  });
});

it.skipIf(!hasPty)('fits 80 columns', async () => {
  const others = ['a', 'b'].map((name) => join(place, 'more', name));
  for (const other of others) await cp(fast, other, { recursive: true });
  const { status, lines } = await inTerminal(80, [
    'compare',
    fast,
    vanilla,
    join(place, 'more'),
    '--out',
    join(place, 'c'),
  ]);
  expect([status, lines.filter((line) => line.length > 80 && !line.includes(place))]).toEqual([0, []]);
  expect(lines.filter((line) => line.startsWith('standard error')).length).toBeGreaterThan(1);
});

describe('runs that are not whole', () => {
  it('are compared as far as they are, with a note', async () => {
    const stopped = join(place, 'stopped');
    await cp(fast, stopped, { recursive: true });
    await rm(runFiles(stopped).summary);
    await writeFile(runFiles(stopped).metrics, `${await readFile(runFiles(stopped).metrics, 'utf8')}no line\n`);
    const { status, out, err } = await compare(fast, stopped, '--out', join(place, 'c'));
    expect(status).toBe(0);
    expect(out).toMatch(/^The runs have identical settings.\n/);
    expect(out).toMatch(/^state +finished +epoch 2\/2$/m);
    expect(err.split('\n')).toEqual([
      `note: 1 damaged lines of ${stopped} were skipped.`,
      `note: ${stopped} is not finished (epoch 2/2); the table shows the errors of the last epoch.`,
    ]);
  });

  it('are errors with a cure where they were named, and left out of a folder', async () => {
    const folder = join(place, 'some');
    const broken = join(folder, 'broken');
    await cp(fast, broken, { recursive: true });
    await cp(vanilla, join(folder, 'whole'), { recursive: true });
    await writeFile(runFiles(broken).config, '{');
    expect(await compare(fast, broken)).toMatchObject({
      status: 1,
      err: expect.stringMatching(
        / is damaged: .*config\.json is not JSON: .*\nRestore the file, or leave the run out.$/,
      ),
    });
    const { status, out, err } = await compare(fast, folder, '--out', join(place, 'c'));
    expect([status, err]).toEqual([0, expect.stringMatching(/^note: .*broken is damaged and was skipped: /)]);
    expect(out).toMatch(/^setting +fast +whole$/m);
  });

  it.each([
    [['nowhere'], /^error: The folder .*nowhere does not exist.\nCheck the path\./],
    [['fast'], /^error: Only one run was given to compare\.\nGive at least two runs/],
    [['fast/checkpoints'], /^error: .*checkpoints contains no run./],
  ])('%s', async (paths, err) => {
    expect(await compare(...paths.map((path) => join(place, path)))).toMatchObject({
      status: 1,
      err: expect.stringMatching(err),
    });
  });
});

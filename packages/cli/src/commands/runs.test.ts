import { cp, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cert, train } from '../../test/cert.js';
import { hasPty, inTerminal } from '../../test/pty.js';

let place: string;
let runs: string;

/** Copies a run, and sets when it was written last. */
async function copy(name: string, day: number, change: (folder: string) => Promise<void> = async () => {}) {
  const folder = join(runs, name);
  await cp(join(place, 'trained'), folder, { recursive: true });
  await change(folder);
  const date = new Date(2026, 0, day, 12, 30);
  const { config, metrics, summary } = runFiles(folder);
  for (const file of [config, metrics, summary]) await utimes(file, date, date).catch(() => {});
}

const remove = (file: 'summary' | 'last') => (folder: string) => rm(runFiles(folder)[file]);

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-runs-'));
  runs = join(place, 'runs');
  expect(await train(join(place, 'trained'))).toMatchObject({ status: 0 });
  await copy('c-finished', 3);
  await copy(join('sweep', 'a-stopped'), 1, remove('summary'));
  await copy('b-busy', 2, async (folder) => {
    await remove('summary')(folder);
    await writeFile(join(folder, 'run.lock'), JSON.stringify({ pid: process.ppid, host: hostname() }));
  });
  await copy('d-broken', 4, (folder) => writeFile(runFiles(folder).summary, '{"images": 20}'));
  await copy('e-gone', 5, remove('last'));
  await copy('f-left', 6, (folder) =>
    writeFile(join(folder, 'run.lock'), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() })),
  );
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('lists runs by their dates, with their errors and states', async () => {
  const { status, out, err } = await cert('runs', runs);
  expect(status).toBe(0);
  const [heading, ...lines] = out.split('\n').map((line) => line.trim().split(/ {2,}/));
  expect(heading).toEqual(['run', 'method', 'epsilon', 'standard', 'PGD', 'verified', 'training', 'date', 'state']);
  expect(lines.map((cells) => [cells[0], cells.at(-2), cells.at(-1)])).toEqual([
    [join('sweep', 'a-stopped'), '2026-01-01 12:30', 'epoch 2/2'],
    ['b-busy', '2026-01-02 12:30', 'in training'],
    ['c-finished', '2026-01-03 12:30', 'finished'],
    ['d-broken', '2026-01-04 12:30', 'damaged'],
    ['e-gone', '2026-01-05 12:30', 'damaged'],
    ['f-left', '2026-01-06 12:30', 'finished'],
  ]);
  const percent = expect.stringMatching(/^\d+\.\d\d %$/);
  expect(lines[2]!.slice(1, 7)).toEqual([
    'fast',
    '0.1',
    percent,
    percent,
    percent,
    expect.stringMatching(/^0:00:\d\d$/),
  ]);
  // What an attack would find is not known before the end.
  expect(lines[0]![4]).toBe('-');
  expect(err.split('\n')).toEqual([
    `warning: ${join(runs, 'd-broken')} is damaged: ${runFiles(join(runs, 'd-broken')).summary} lacks the errors of the run.`,
    `warning: ${join(runs, 'e-gone')} is damaged: ${runFiles(join(runs, 'e-gone')).last} is missing.`,
  ]);
});

it('prints them as JSON', async () => {
  const { out } = await cert('runs', runs, '--json');
  const listed: { name: string; state: string; config: { epochs: number }; errors: { images: number } }[] =
    JSON.parse(out);
  expect(listed).toHaveLength(6);
  expect(listed[2]).toMatchObject({
    name: 'c-finished',
    state: 'finished',
    config: { epochs: 2 },
    errors: { images: 20 },
  });
});

it('says where it has looked when there is nothing', async () => {
  expect(await cert('runs', join(place, 'nowhere'))).toMatchObject({
    status: 1,
    err: `error: The folder ${join(place, 'nowhere')} does not exist.\nCheck the path. By default, cert train writes runs to the folder "runs".`,
  });
  const inside = join(place, 'trained', 'checkpoints');
  expect(await cert('runs', inside)).toMatchObject({
    status: 0,
    out: `${inside} contains no runs. Create one with: cert train`,
  });
});

it.skipIf(!hasPty).each([60, 80])('fits %i columns', async (columns) => {
  const { status, lines, raw } = await inTerminal(columns, ['runs', runs]);
  const table = lines.slice(
    0,
    lines.findIndex((line) => line.startsWith('warning:')),
  );
  expect([status, Math.max(...table.map((line) => line.length)) <= columns]).toEqual([0, true]);
  if (columns === 80) expect(table.slice(-2)).toEqual(['f-left', expect.stringMatching(/^ {2}fast +0\.1 .*finished$/)]);
  expect(raw).toContain('\u001b[32mfinished\u001b[39m');
});

it('takes no errors that contradict each other', async () => {
  const run = join(place, 'contradictory');
  await cp(join(runs, 'c-finished'), run, { recursive: true });
  const { summary } = runFiles(run);
  const text = JSON.parse(await readFile(summary, 'utf8'));
  for (const change of [
    { verifiedError: -0.5 },
    { standardError: 0.5, pgdError: 0.5, verifiedError: 0.25 },
    { pgdError: 1, verifiedError: 0.95 },
    { images: 0 },
  ]) {
    await writeFile(summary, JSON.stringify({ ...text, ...change }));
    const { err } = await cert('runs', run);
    expect(err).toBe(`warning: ${run} is damaged: ${summary} has errors that contradict each other.`);
  }
});

/** Files of a run that were changed, or that another process works on. */
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, train } from '../test/cert.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-main-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('a checkpoint', () => {
  it('goes with the configuration that it was trained with, and alone with any', async () => {
    const run = join(place, 'tied');
    expect(await train(run)).toMatchObject({ status: 0 });
    const { config: file, last } = runFiles(run);
    const alone = join(place, 'alone', 'net.safetensors');
    await mkdir(join(place, 'alone'));
    await cp(last, alone);
    const evaluate = ['--attack-restarts', '0', '--limit', '5', '--methods', 'ibp'];
    expect(await cert('eval', alone, ...evaluate)).toMatchObject({ status: 0, err: '' });
    const text = await readFile(file, 'utf8');
    await writeFile(file, JSON.stringify({ ...JSON.parse(text), epsilon: 0.001 }));
    for (const args of [
      ['eval', run, ...evaluate],
      ['train', '--resume', run],
    ]) {
      expect(await cert(...args)).toMatchObject({
        status: 1,
        err: expect.stringContaining('differs from the config.json'),
      });
    }
    await writeFile(file, JSON.stringify({ ...JSON.parse(text), data: place }));
    expect(await cert('eval', run, ...evaluate)).toMatchObject({ status: 0 });
  });

  it('that was changed is refused', async () => {
    const file = join(place, 'changed.safetensors');
    const bytes = await readFile(runFiles(join(place, 'tied')).last);
    bytes[bytes.length - 2]! ^= 1;
    await writeFile(file, bytes);
    expect(await cert('eval', file)).toMatchObject({
      status: 1,
      err: expect.stringContaining('its checksum does not match'),
    });
  });
});

describe('a run that another process works on', () => {
  it('is evaluated as it is, and eval says so', async () => {
    const run = join(place, 'training');
    expect(await train(run)).toMatchObject({ status: 0 });
    const evaluate = ['eval', run, '--attack-restarts', '0', '--limit', '5', '--methods', 'ibp'];
    await writeFile(join(run, 'run.lock'), JSON.stringify({ pid: process.ppid, host: hostname(), id: '1' }));
    expect(await cert(...evaluate)).toMatchObject({
      status: 0,
      err: `${run} is being trained by process ${process.ppid} on ${hostname()}. Evaluating the current ${runFiles(run).last}, written after step 6.`,
    });
    await rm(join(run, 'run.lock'));
    expect(await cert(...evaluate)).toMatchObject({ status: 0, err: '' });
  });

  it('is refused, for training and for evaluation, and free when that process has ended', async () => {
    const run = join(place, 'locked');
    expect(await train(run)).toMatchObject({ status: 0 });
    const lines = join(run, 'lines.jsonl');
    const owner = (pid: number) => JSON.stringify({ pid, host: hostname(), id: '1' });
    for (const lock of [join(run, 'run.lock'), `${lines}.lock`]) await writeFile(lock, owner(process.ppid));
    const evaluate = ['eval', run, '--attack-restarts', '0', '--out', lines];
    for (const args of [['train', '--resume', run], evaluate]) {
      expect(await cert(...args)).toMatchObject({
        status: 1,
        err: expect.stringContaining(`is used by process ${process.ppid} on ${hostname()}.`),
      });
    }
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    for (const lock of [join(run, 'run.lock'), `${lines}.lock`]) await writeFile(lock, owner(pid));
    for (const args of [['train', '--resume', run], evaluate]) expect(await cert(...args)).toMatchObject({ status: 0 });
    expect((await readdir(run)).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });
});

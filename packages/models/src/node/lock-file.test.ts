import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockFile, lockOwner, writeFileAtomic } from './index.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-lock-'));
  path = join(folder, 'run.lock');
});
afterEach(() => rm(folder, { recursive: true }));

/** The id of a process that has ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  return child.pid!;
}

it('is held by one at a time, and leaves nothing behind', async () => {
  const unlock = await lockFile(path, 'The run r');
  await expect(lockFile(path, 'The run r')).rejects.toMatchObject({
    ...{ code: 'in-use', problem: `The run r is used by process ${process.pid} on ${hostname()}.` },
    cure: expect.stringContaining(path),
  });
  await unlock();
  await unlock();
  expect(await readdir(folder)).toEqual([]);
  await (await lockFile(path, 'The run r'))();
});

it.each(['no lock', 'a lock that is left over'])('is won by one of many, where there is %s', async (before) => {
  const left = JSON.stringify({ pid: await deadProcess(), host: hostname(), id: '1' });
  for (let round = 0; round < 20; round++) {
    if (before !== 'no lock') await writeFile(path, left);
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockFile(path, 'The run r')));
    const [unlock, ...others] = tries.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    expect(others).toEqual([]);
    await unlock!();
    expect(await readdir(folder)).toEqual([]);
  }
});

it('is never held by two processes, though many end without giving it back', async () => {
  const script = fileURLToPath(new URL('../../test/lock-loop.ts', import.meta.url));
  const args = ['--import', 'tsx', '--conditions=@cert/source', script, path, '3000'];
  const children = Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, args));
  const results = (await Promise.all(children)).map(({ stdout }) => JSON.parse(stdout));
  for (const { shared, failed } of results) expect({ shared, failed }).toEqual({ shared: 0, failed: 0 });
  expect(results.reduce((sum, { taken }) => sum + taken, 0)).toBeGreaterThan(3);
});

it('is taken over from a process that has ended, and from what is no lock', async () => {
  for (const left of [JSON.stringify({ pid: await deadProcess(), host: hostname(), id: '1' }), '{', '', '{"pid":-1}']) {
    await writeFile(path, left);
    const unlock = await lockFile(path, 'The run r');
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
    await unlock();
  }
});

it('is taken over from an earlier process with the id of this one, as a container may give it', async () => {
  const unlock = await lockFile(path, 'The run r');
  const held = JSON.parse(await readFile(path, 'utf8'));
  expect(await lockOwner(path)).toMatchObject({ pid: process.pid, host: hostname() });
  await unlock();
  await writeFile(path, JSON.stringify({ ...held, started: held.started - 60_000 }));
  expect(await lockOwner(path)).toBeUndefined();
  await (await lockFile(path, 'The run r'))();
  expect(await lockOwner(path)).toBeUndefined();
});

it('is not taken over where another process ended while it did so: the file to remove is named', async () => {
  const left = JSON.stringify({ pid: await deadProcess(), host: hostname(), id: '1' });
  for (const file of [path, `${path}.takeover`]) await writeFile(file, left);
  await expect(lockFile(path, 'The run r')).rejects.toMatchObject({
    ...{ code: 'in-use', cure: expect.stringContaining(`remove ${path}.takeover.`) },
  });
  await rm(`${path}.takeover`);
  await (await lockFile(path, 'The run r'))();
});

it('of another machine is never taken over', async () => {
  await writeFile(path, JSON.stringify({ pid: 1, host: 'elsewhere', id: '1' }));
  await expect(lockFile(path, 'The run r')).rejects.toMatchObject({ code: 'in-use' });
});

it('says that it cannot be written', async () => {
  await expect(lockFile(join(folder, 'no', 'run.lock'), 'The run r')).rejects.toMatchObject({ code: 'bad-file' });
});

it('temporary files of processes that have ended are removed, others are not', async () => {
  const dead = await deadProcess();
  const file = join(folder, 'a.json');
  const others = [`${file}.${process.ppid}.tmp`, join(folder, `b.json.${dead}.tmp`), `${file}.x.tmp`];
  for (const other of [`${file}.${dead}.tmp`, ...others]) await writeFile(other, '');
  await writeFileAtomic(file, 'x');
  expect((await readdir(folder)).map((name) => join(folder, name)).sort()).toEqual([file, ...others].sort());
});

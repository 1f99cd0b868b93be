import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from './index.js';

let place: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-folder-'));
});
afterEach(() => rm(place, { recursive: true }));

it('makes the folders that are missing, several at once and again', async () => {
  const deep = join(place, 'a', 'b', 'c');
  await Promise.all([makeFolder(deep), makeFolder(deep), makeFolder(join(place, 'a', 'd'))]);
  await makeFolder(deep);
  expect((await stat(deep)).isDirectory()).toBe(true);
});

it('says that a file is in the way', async () => {
  await writeFile(join(place, 'plain'), '');
  for (const folder of [join(place, 'plain'), join(place, 'plain', 'a', 'b')]) {
    await expect(makeFolder(folder)).rejects.toMatchObject({
      code: 'bad-file',
      cure: expect.stringContaining('writable folder'),
    });
  }
});

it.skipIf(!existsSync('/proc/self'))('ends where nothing can be made (skipped where there is no /proc)', async () => {
  await expect(makeFolder('/proc/cert/run')).rejects.toMatchObject({ code: 'bad-file' });
});

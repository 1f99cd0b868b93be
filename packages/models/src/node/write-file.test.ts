import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { appendText, writeFileAtomic } from './index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-write-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('writes text and bytes, over an old file too, and leaves nothing else', async () => {
  const path = join(folder, 'summary.json');
  await writeFileAtomic(path, Uint8Array.of(1, 2, 3, 4, 5));
  await writeFileAtomic(path, 'µ');
  expect(await readFile(path, 'utf8')).toBe('µ');
  expect(await readdir(folder)).toEqual(['summary.json']);
});

it('holds a whole file after a kill at any moment', async () => {
  const bytes = 8_000_000;
  const script = fileURLToPath(new URL('../../test/write-forever.ts', import.meta.url));
  const contents = await Promise.all(
    [20, 45, 90].map(async (delay) => {
      const path = join(folder, `killed-after-${delay}`);
      const options = ['--import', 'tsx', '--conditions=@cert/source', script, path, String(bytes)];
      const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] });
      const closed = once(child, 'close');
      // A child that ends by itself is reported as such, rather than waited for.
      await Promise.race([once(child.stdout, 'data'), closed]);
      expect(child.exitCode).toBeNull();
      await setTimeout(delay);
      child.kill('SIGKILL');
      await closed;
      return readFile(path);
    }),
  );
  for (const content of contents) {
    expect(content.length).toBe(bytes);
    expect(content[0]).toBeGreaterThan(0);
    expect(content.every((byte) => byte === content[0])).toBe(true);
  }
});

it('text is added at the end of a file, which is made where it is missing', async () => {
  const path = join(folder, 'log.txt');
  await appendText(path, 'a\n');
  await appendText(path, 'b\n');
  expect(await readFile(path, 'utf8')).toBe('a\nb\n');
});

it.skipIf(!existsSync('/dev/full'))(
  'a full disk is named as the reason (skipped where there is no /dev/full)',
  async () => {
    const path = join(folder, 'summary.json');
    await writeFileAtomic(path, 'old');
    await symlink('/dev/full', `${path}.${process.pid}.tmp`);
    const full = { code: 'bad-file', cure: 'Free space on the disk: it is full.' };
    await expect(writeFileAtomic(path, 'new')).rejects.toMatchObject(full);
    expect([await readFile(path, 'utf8'), await readdir(folder)]).toEqual(['old', ['summary.json']]);
    await expect(appendText('/dev/full', 'new')).rejects.toMatchObject(full);
  },
);

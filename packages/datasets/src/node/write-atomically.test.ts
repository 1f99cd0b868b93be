import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { notWritten, writeAtomically } from './write-atomically.js';

it('makes the folders that are missing, also when many do so at once', async () => {
  const place = await mkdtemp(join(tmpdir(), 'cert-cache-'));
  const paths = ['a', 'b', 'c', 'd'].map((name) => join(place, 'x', 'y', 'z', name));
  await Promise.all(paths.map((path) => writeAtomically(path, [Buffer.from(path)])));
  for (const path of paths) expect(await readFile(path, 'utf8')).toBe(path);
  await rm(place, { recursive: true });
});

// Node's own recursive mkdir never ends here.
it.runIf(existsSync('/proc/self'))('ends where no folder can be made', { timeout: 10_000 }, async () => {
  await expect(writeAtomically('/proc/cert/cache/file', [])).rejects.toMatchObject({
    code: 'bad-file',
    problem: expect.stringContaining('/proc/cert/cache/file cannot be written: ENOENT'),
  });
});

it.each(['EACCES', 'EPERM', 'EROFS'])('says that a cache folder is read-only (%s)', (code) => {
  const error = notWritten('/cache/tiny/file.gz', Object.assign(new Error('no'), { code }));
  expect(error).toMatchObject({ code: 'bad-file', problem: `The cache folder /cache/tiny is read-only (${code}).` });
  expect(error.cure).toContain('cacheDir');
});

it('gives the reason for any other failure', () => {
  expect(notWritten('/cache/a', new Error('disk full')).problem).toBe('/cache/a cannot be written: disk full.');
});

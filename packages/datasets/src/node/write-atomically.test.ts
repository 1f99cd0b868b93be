import { expect, it } from 'vitest';
import { notWritten } from './write-atomically.js';

it.each(['EACCES', 'EPERM', 'EROFS'])('says that a cache folder is read-only (%s)', (code) => {
  const error = notWritten('/cache/tiny/file.gz', Object.assign(new Error('no'), { code }));
  expect(error).toMatchObject({ code: 'bad-file', problem: `The cache folder /cache/tiny is read-only (${code}).` });
  expect(error.cure).toContain('cacheDir');
});

it('gives the reason for any other failure', () => {
  expect(notWritten('/cache/a', new Error('disk full')).problem).toBe('/cache/a cannot be written: disk full.');
});

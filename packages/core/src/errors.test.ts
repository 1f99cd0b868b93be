import { expect, it } from 'vitest';
import { CertError } from './index.js';

it('says the problem first and the cure last, and keeps its cause', () => {
  const cause = new Error('inner');
  const error = new CertError('bad-file', 'The file is empty.', 'Download the file again.', { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error.message).toBe('The file is empty.\nDownload the file again.');
  expect(error).toMatchObject({ name: 'CertError', code: 'bad-file', cause });
});

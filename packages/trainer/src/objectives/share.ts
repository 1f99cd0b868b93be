import { CertError } from '@cert/core';

/** @throws CertError `bad-argument` for a number outside [0, 1] */
export function checkShare(what: string, share: number): void {
  if (share >= 0 && share <= 1) return;
  throw new CertError('bad-argument', `The ${what} is ${share}.`, 'Give a number from 0 to 1.');
}

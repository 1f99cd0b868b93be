import type { Arithmetic } from '@cert/bounds';
import { CertError } from '@cert/core';

/** @throws CertError `bad-argument` for anything but a level of arithmetic */
export function readArithmetic(text = 'deployed'): Arithmetic {
  const known: readonly Arithmetic[] = ['nearest', 'real', 'deployed'];
  const arithmetic = known.find((name) => name === text);
  if (arithmetic !== undefined) return arithmetic;
  throw new CertError('bad-argument', `--arithmetic is ${JSON.stringify(text)}.`, `Give one of: ${known.join(', ')}.`);
}

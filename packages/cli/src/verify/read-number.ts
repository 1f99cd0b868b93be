import { CertError, describeValue } from '@cert/core';

/** A number that was given as text; a fraction such as 8/255 is one. @throws CertError `bad-argument` quoting what was given */
export function readNumber(option: string, text: string): number {
  const [, above, below] = /^\s*([^/]+?)\s*(?:\/\s*([^/]+?)\s*)?$/.exec(text) ?? [];
  const value = Number(above || Number.NaN) / (below === undefined ? 1 : Number(below));
  if (value >= 0 && Number.isFinite(value)) return value;
  throw new CertError('bad-argument', `${option} is ${describeValue(text)}.`, 'Give a number that is at least 0.');
}

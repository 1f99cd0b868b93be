import { CertError, describeValue } from '@cert/core';

/** A number that was given as text; a fraction such as 8/255 is one. @throws CertError `bad-argument` quoting what was given */
export function readNumber(option: string, text: string): number {
  const value = toNumber(text);
  if (value !== undefined) return value;
  throw new CertError('bad-argument', `${option} is ${describeValue(text)}.`, CURE);
}

/** A radius that was given as text. @throws CertError `bad-argument` quoting what was given */
export function readRadius(option: string, text: string): number {
  const value = toNumber(text);
  if (value !== undefined) return value;
  throw new CertError(
    'bad-argument',
    `${option} is ${describeValue(text)}; expected a number such as 0.1 or a fraction such as 8/255.`,
    CURE,
  );
}

const CURE = 'Give a number >= 0.';

function toNumber(text: string): number | undefined {
  const [, above, below] = /^\s*([^/]+?)\s*(?:\/\s*([^/]+?)\s*)?$/.exec(text) ?? [];
  const value = Number(above || Number.NaN) / (below === undefined ? 1 : Number(below));
  return value >= 0 && Number.isFinite(value) ? value : undefined;
}

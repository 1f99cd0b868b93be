import { CertError } from '@cert/core';
import { type Catalog, choose } from '@cert/trainer/pipeline';
import { readNumber } from '../verify/read-number.js';

/** Seconds that a search may take at each radius. */
export const TIMEOUT = 60;

/** How close the radius is to the next one that is not verified, relative to it. */
export const TOLERANCE = 0.01;

/** The methods in the order of their costs. @throws CertError `bad-argument` for an unknown one */
export function readMethods(text: string, { verifiers }: Catalog): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) choose('bound method', name, verifiers);
  return Object.keys(verifiers).filter((name) => names.includes(name));
}

/** @throws CertError `bad-argument` for anything but a fraction */
export function readTolerance(text: string | undefined): number {
  if (text === undefined) return TOLERANCE;
  const tolerance = readNumber('--tolerance', text);
  if (tolerance >= 1e-6 && tolerance < 1) return tolerance;
  throw new CertError('bad-argument', `--tolerance is ${text}.`, 'Give a fraction of at least 1e-6 and less than 1.');
}

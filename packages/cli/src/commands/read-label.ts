import { CertError, describeValue } from '@cert/core';
import { didYouMean } from '@cert/trainer/pipeline';

/** Names that an error lists at most. */
const LISTED = 20;

/** A class, given by its number or by its name. @throws CertError `bad-argument` quoting what was given, with the nearest names */
export function readLabel(text: string, classes: number, classNames: readonly string[] = []): number {
  const named = classNames.indexOf(text);
  const label = named >= 0 ? named : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (label < classes) return label;
  const names = classNames.length === 0 ? '' : `, or a name: ${classNames.slice(0, LISTED).join(', ')}`;
  throw new CertError(
    'bad-argument',
    `--label is ${describeValue(text)}.`,
    `${didYouMean(text, classNames)}Give a class from 0 to ${classes - 1}${names}.`,
  );
}

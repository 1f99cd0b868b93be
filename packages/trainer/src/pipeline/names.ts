import { CertError, describeValue } from '@cert/core';
import { distance } from 'fastest-levenshtein';

/**
 * Returns the value of a name in a table.
 *
 * @param kind kind of the value, for the message: "preset", "model"
 * @param known known names as text; default: all names
 * @throws CertError `bad-argument` with suggestions
 */
export function choose<T>(kind: string, name: string, table: { readonly [name: string]: T }, known?: string): T {
  if (Object.hasOwn(table, name)) return table[name]!;
  throw unknownName(kind, name, Object.keys(table), known);
}

const spelling = (name: string): string => name.toLowerCase().replaceAll(/[-_ ]/g, '');

/**
 * Returns the known name for a spelling: case, hyphens and underscores are ignored. Unknown names are returned unchanged.
 *
 * @param aliases other words for names
 */
export function canonicalName(
  name: string,
  known: readonly string[],
  aliases: { readonly [alias: string]: string } = {},
): string {
  if (known.includes(name) || name.length > LONGEST) return name;
  const meant = [...known, ...Object.keys(aliases)].filter((one) => spelling(one) === spelling(name));
  // Names of plug-ins may differ in case alone.
  const [only = name] = meant.length === 1 ? meant : [];
  return Object.hasOwn(aliases, only) ? aliases[only]! : only;
}

/** Comparing takes time by the length, and no name is as long. */
const LONGEST = 100;

/** A shorter name is a part of too many others. */
const SHORTEST_PART = 3;

/**
 * Returns suggestions, `Did you mean "fast"? `, or an empty string: the first names that contain the given one, or else those
 * with the fewest edits.
 */
export function didYouMean(name: string, known: readonly string[]): string {
  if (name.length > LONGEST) return '';
  const containing = known.filter((candidate) => candidate.toLowerCase().includes(name.toLowerCase()));
  const near = known
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(2, candidate.length / 2))
    .sort((a, b) => a.edits - b.edits)
    // What is much farther than the nearest was not meant.
    .filter(({ edits }, _, [nearest]) => edits <= 2 * nearest!.edits)
    .map(({ candidate }) => candidate);
  const meant = containing.length > 0 && name.length >= SHORTEST_PART ? containing : near;
  const quoted = meant.slice(0, 3).map((candidate) => `"${candidate}"`);
  return quoted.length > 0 ? `Did you mean ${quoted.join(' or ')}? ` : '';
}

/** Returns the error for an unknown name, with suggestions and all known names. */
export function unknownName(
  kind: string,
  name: string,
  known: readonly string[],
  inWords = known.join(', '),
): CertError {
  return new CertError(
    'bad-argument',
    `There is no ${kind} ${describeValue(name)}.`,
    `${didYouMean(name, known)}Known: ${inWords}.`,
  );
}

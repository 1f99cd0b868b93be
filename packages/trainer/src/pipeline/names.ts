import { CertError, describeValue } from '@cert/core';
import { distance } from 'fastest-levenshtein';

/**
 * The value of a name in a table.
 *
 * @param kind what is chosen, for the message: "preset", "model"
 * @param known the names in words; default all of them
 * @throws CertError `bad-argument` with the nearest names first
 */
export function choose<T>(kind: string, name: string, table: { readonly [name: string]: T }, known?: string): T {
  if (Object.hasOwn(table, name)) return table[name]!;
  throw unknownName(kind, name, Object.keys(table), known);
}

/** The error for a name that is not known: suggests the nearest ones and lists all, or says which there are. */
export function unknownName(
  kind: string,
  name: string,
  known: readonly string[],
  inWords = known.join(', '),
): CertError {
  // Comparing takes time by the length, and no name is as long.
  const near = (name.length > 100 ? [] : known)
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(2, candidate.length / 2))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ candidate }) => `"${candidate}"`);
  const suggestion = near.length > 0 ? `Did you mean ${near.join(' or ')}? ` : '';
  return new CertError(
    'bad-argument',
    `There is no ${kind} ${describeValue(name)}.`,
    `${suggestion}Known: ${inWords}.`,
  );
}

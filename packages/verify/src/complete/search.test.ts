import { expect, it } from 'vitest';
import { type SearchResult, withoutWitness } from './search.js';

it.each<SearchResult>([
  { verdict: 'falsified', witness: Float32Array.of(0), visited: 3 },
  { verdict: 'verified', lower: 0, visited: 3 },
  { verdict: 'verified', lower: -1, visited: 3 },
  { verdict: 'verified', lower: Number.NaN, visited: 3 },
])('a search that ends with %j, unconfirmed, decides nothing', (result) => {
  expect(withoutWitness(result)).toEqual({ verdict: 'unknown', reason: 'rounding', visited: 3, lower: Number.NaN });
});

it('a positive bound and what is unknown stay as they are', () => {
  const verified = { verdict: 'verified', lower: 1e-30, visited: 3 } as const;
  const unknown = { verdict: 'unknown', reason: 'timeout', lower: -1, visited: 3 } as const;
  for (const result of [verified, unknown]) expect(withoutWitness(result)).toBe(result);
});

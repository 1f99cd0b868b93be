import { CertError } from '@cert/core';
import { sha256 } from '@cert/models';

/** One of several parts of a list of jobs. Plain data. */
export interface Shard {
  /** Which part, from 1 to `of`. */
  readonly index: number;
  /** Number of parts. */
  readonly of: number;
}

/** Returns the positions of a list in the order of a hash, in which hard jobs, which often stand together, are spread. */
export function hashOrder(count: number): readonly number[] {
  const hashed = Array.from({ length: count }, (_, i) => ({ i, hash: sha256(new TextEncoder().encode(String(i))) }));
  return hashed.sort((a, b) => (a.hash < b.hash ? -1 : 1)).map(({ i }) => i);
}

/**
 * Returns the jobs of a shard, by their positions in the list, ascending. Jobs are dealt out in the order of a hash, so that shards differ by
 * at most one job.
 *
 * @param count number of jobs
 */
export const shardMembers = (count: number, { index, of }: Shard): readonly number[] =>
  hashOrder(count)
    .filter((_, place) => place % of === index - 1)
    .sort((a, b) => a - b);

/**
 * Reads a shard as it is written on a command line: `2/5` is the second of five.
 *
 * @throws CertError `bad-argument` for other texts, no parts, and a part that does not exist
 */
export function parseShard(text: string): Shard {
  const [, index, of] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (shard.index >= 1 && shard.index <= shard.of) return shard;
  throw new CertError(
    'bad-argument',
    `The shard is ${JSON.stringify(text)}.`,
    'Give I/N with 1 <= I <= N: --shard 2/5 is the second of five parts.',
  );
}

/** Formats a shard: `2/5`. */
export const shardText = ({ index, of }: Shard): string => `${index}/${of}`;

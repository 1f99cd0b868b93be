import { KINDS, type KindName, type Works } from './kinds.js';
import type { Part } from './queues.js';
import { itemsOfJobs, type JobResult, jobNumber, readPart } from './work.js';

/** The result of a job that has been checked: the items of its lines are those of the job. */
export interface CheckedJob {
  /** The place of its part. */
  readonly part: number;
  readonly lines: readonly { readonly item: number; readonly line: unknown }[];
  /** What else the worker told, unchecked. */
  readonly value: Partial<JobResult>;
}

/**
 * Reads the results that are in Redis. What Redis holds is not trusted: the result of a job is dropped, and its number is told to
 * `onDamaged`, unless it has one line for each of its items that its kind accepts.
 *
 * @throws CertError `bad-data` for a part that is damaged
 */
export async function* checkedJobs(
  parts: readonly [Part, ...Part[]],
  onDamaged: (job: number) => void,
): AsyncGenerator<CheckedJob> {
  const first = readPart(parts[0].data);
  const jobs = itemsOfJobs(first);
  for (const [place, part] of parts.entries()) {
    const itemOf = readerOf(first.kind, readPart(part.data).work);
    const seen = new Set<number>();
    for await (const [key, value] of resultsOf(part)) {
      const job = jobNumber(key);
      const items = jobs[job];
      if (items === undefined || seen.has(job)) continue;
      seen.add(job);
      const { lines = [], ...others } = recordOf(value);
      const found = Array.isArray(lines) ? lines.map((line: unknown) => ({ item: itemOf(line), line })) : [];
      const known = found.filter((one): one is { item: number; line: unknown } => one.item !== undefined);
      if (known.length === found.length && sameItems(known, items)) yield { part: place, lines: known, value: others };
      else onDamaged(job);
    }
  }
}

/** What tells the item of a line. */
function readerOf<K extends KindName>(kind: K, value: unknown): (line: unknown) => number | undefined {
  const work: Works[K] = KINDS[kind].read(value);
  return (line) => KINDS[kind].itemOf(line, work);
}

const recordOf = (value: unknown): Partial<JobResult> => (typeof value === 'object' && value !== null ? value : {});

const sorted = (items: readonly number[]) => [...items].sort((a, b) => a - b).join();

const sameItems = (lines: readonly { readonly item: number }[], items: readonly number[]) =>
  sorted(lines.map(({ item }) => item)) === sorted(items);

/** Results that are read from Redis at once. */
const PAGE = 100;

/** The results in a part, by the keys of their jobs; one may come twice. */
async function* resultsOf(part: Part): AsyncGenerator<readonly [string, unknown]> {
  let cursor = 0;
  do {
    const { processed = {}, nextProcessedCursor = 0 } = await part.getDependencies({
      processed: { cursor, count: PAGE },
    });
    yield* Object.entries(processed);
    cursor = Number(nextProcessedCursor);
  } while (cursor !== 0);
}

/** The numbers of the jobs that a part knows: those with a result, those that are open and those that have failed. */
export async function jobsOfPart(part: Part): Promise<ReadonlySet<number>> {
  const known = new Set<number>();
  const add = (keys: Iterable<string>) => {
    for (const key of keys) known.add(jobNumber(key));
  };
  let cursor = 0;
  do {
    const { unprocessed = [], nextUnprocessedCursor = 0 } = await part.getDependencies({
      unprocessed: { cursor, count: PAGE },
    });
    add(unprocessed);
    cursor = Number(nextUnprocessedCursor);
  } while (cursor !== 0);
  // Workers are at work: a job that has just moved is in one of those that are looked at later.
  add(Object.keys(await part.getIgnoredChildrenFailures()));
  for await (const [key] of resultsOf(part)) add([key]);
  return known;
}

/** What the queue has to know of a kind of work. One row of `KINDS` for each. */
export interface Kind<Work> {
  /** What the items are called, for messages: `images`. */
  readonly items: string;
  /** Checks the types of what Redis holds, which anyone who reaches the server can write. @throws CertError `bad-data` */
  read(value: unknown): Work;
  /** Number of items. They are independent of each other, and numbered from 0. */
  count(work: Work): number;
  /** The items in the order in which they are cut into jobs. */
  order(count: number): readonly number[];
  /** What a worker and {@link itemOf} need for these items alone. */
  cut(work: Work, items: readonly number[]): Work;
  /** The item whose result a value is; undefined for a value that contradicts itself or the work. */
  itemOf(line: unknown, work: Work): number | undefined;
  /** What is told of the work in a status: settings and names, a few values. Plain data. */
  settings(work: Work): { readonly [name: string]: unknown };
}

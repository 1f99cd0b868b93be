import type { Fetch, JobEvaluator, KindName, Works } from '@cert/queue';
import type { Catalog } from '@cert/trainer/pipeline';
import type { Terminal } from '../terminal.js';

/** What a worker was started with. */
export interface WorkerContext {
  readonly terminal: Terminal;
  readonly catalog: Catalog;
  /** Compute device; undefined for that of the submission. */
  readonly device: string | undefined;
}

/** Where results go. */
interface CollectTo {
  readonly redis: string;
  readonly id: string;
  readonly out: string;
  readonly json: boolean;
}

/** What the commands of the queue do with a kind of work. */
export interface QueuedKind<K extends KindName> {
  /** Prepares work on a worker. @throws CertError if this machine would compute something else */
  open(work: Works[K], fetch: Fetch, context: WorkerContext): Promise<JobEvaluator>;
  /** What a submission is about, in a few words for a table. */
  about(settings: { readonly [name: string]: unknown }): string;
  /** What the items are called: images. */
  readonly items: string;
  /** Writes and shows the results. */
  collect(terminal: Terminal, to: CollectTo): Promise<void>;
}

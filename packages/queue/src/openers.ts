import type { KindName, Works } from './kinds.js';
import type { JobResult } from './work.js';

/** What computes the jobs of one submission, one at a time. */
export interface JobEvaluator {
  /** Computes items; rejects with the signal's reason when it is aborted. */
  evaluate(items: readonly number[], signal: AbortSignal): Promise<Omit<JobResult, 'seconds'>>;
  /** Frees what it holds. */
  dispose(): Promise<void>;
}

/** Reads a file of the store by its SHA-256, once for a worker while its jobs need it. */
export type Fetch = (sha256: string) => Promise<Uint8Array>;

/** What computes the jobs of each kind. */
export type Openers = { readonly [K in KindName]?: (work: Works[K], fetch: Fetch) => Promise<JobEvaluator> };

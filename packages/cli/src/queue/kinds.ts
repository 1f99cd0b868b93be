import type { KindName, Openers } from '@cert/queue';
import { QUEUED_EVALUATION } from './evaluation.js';
import { QUEUED_INSTANCES } from './instances.js';
import type { QueuedKind, WorkerContext } from './queued-kind.js';

/** What the commands of the queue do with each kind of work. */
export const QUEUED_KINDS: { readonly [K in KindName]: QueuedKind<K> } = {
  evaluation: QUEUED_EVALUATION,
  instances: QUEUED_INSTANCES,
};

/** What computes the jobs of each kind on a worker. */
export const openers = (context: WorkerContext): Openers => ({
  evaluation: (work, fetch) => QUEUED_KINDS.evaluation.open(work, fetch, context),
  instances: (work, fetch) => QUEUED_KINDS.instances.open(work, fetch, context),
});

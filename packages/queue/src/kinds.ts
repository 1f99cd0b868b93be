import { CertError, describeValue } from '@cert/core';
import { EVALUATION, type QueuedEvaluation } from './evaluation.js';
import { INSTANCES, type QueuedInstances } from './instances.js';
import type { Kind } from './kind.js';

/** What can be submitted, by the name of its kind: references alone, no code and no weights. Plain data. */
export interface Works {
  /** Images of a dataset. */
  readonly evaluation: QueuedEvaluation;
  /** Networks and properties of them, of a list as `cert verify --instances` takes it. */
  readonly instances: QueuedInstances;
}

/** The name of a kind of work. */
export type KindName = keyof Works;

/** A kind of work joins with a row here, one of {@link Works}, and what computes its jobs in the table of `createWorker`. */
export const KINDS: { readonly [K in KindName]: Kind<Works[K]> } = {
  evaluation: EVALUATION,
  instances: INSTANCES,
};

/** @throws CertError `bad-argument` for a name that is no kind: another version wrote it */
export function kindOf(name: unknown): KindName {
  const found = Object.keys(KINDS).find((each): each is KindName => each === name);
  if (found !== undefined) return found;
  throw new CertError(
    'bad-argument',
    `The queue holds work of the kind ${describeValue(name)}, which this version of cert does not know.`,
    'Install the same version of @cert/cli and @cert/queue on all machines.',
  );
}

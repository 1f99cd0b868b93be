import { CertError } from '@cert/core';
import { KINDS } from './kinds.js';
import type { SubmissionStatus } from './status.js';

/** What {@link incomplete} tells. */
export interface Incomplete {
  readonly status: SubmissionStatus;
  /** Items that have a result. */
  readonly found: number;
  /** Numbers of the jobs whose results were dropped. */
  readonly damaged: readonly number[];
  /** The file that has the other results. */
  readonly out: string;
  /** How to compute the rest without a queue, in the imperative. */
  readonly alone: string;
}

/** Failed jobs whose reasons a message tells. */
const TOLD = 3;

/** The error for a submission whose results are not all there: how many are missing, and why. */
export function incomplete({ status, found, damaged, out, alone }: Incomplete): CertError {
  const { kind, items, jobs, done, failed, missing } = status;
  const open = jobs - done - failed.length - missing;
  const told = failed.slice(0, TOLD).map(({ job, reason }) => `job ${job}: ${reason}`);
  const facts = [
    ...(open > 0 ? [`${open} jobs are not done`] : []),
    ...(failed.length > 0 ? [`${failed.length} jobs have failed (${told.join('; ')})`] : []),
    ...(missing > 0 ? [`${missing} jobs are not in the queue`] : []),
    ...(damaged.length > 0 ? [`the results of ${damaged.length} jobs are damaged and were dropped`] : []),
  ];
  const again =
    damaged.length === 0
      ? 'Submit again with the same command, which tries these jobs again'
      : 'Remove the submission (cert queue remove) and submit it again';
  return new CertError(
    'bad-data',
    `The submission is not complete: ${items - found} of ${items} ${KINDS[kind].items} have no result. ${facts.join(', ')}. The other results are in ${out}.`,
    open > 0 ? 'Wait for the workers (cert queue status), then collect again.' : `${again}, or ${alone}.`,
  );
}

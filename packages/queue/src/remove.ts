import { CertError } from '@cert/core';
import { partsOf, withQueues } from './queues.js';

/**
 * Removes a submission from Redis, with its jobs and results.
 *
 * @param redis the URL of the server
 * @throws CertError `in-use` while a worker is at one of its jobs, `bad-argument` for an unknown ID, `no-network` if Redis cannot be reached
 */
export const removeSubmission = (redis: string, id: string): Promise<void> =>
  withQueues(redis, async (queues) => {
    // The first part names the others, so it is the last one.
    for (const part of [...(await partsOf(queues, id))].reverse()) {
      await part.removeUnprocessedChildren();
      await part.remove().catch((cause: unknown) => {
        if (!(cause instanceof Error && /locked/.test(cause.message))) throw cause;
        throw new CertError(
          'in-use',
          `Workers are at jobs of the submission ${id}.`,
          'Its waiting jobs have been removed. Repeat the command when the others are done.',
          { cause },
        );
      });
    }
  });

import { CertError } from '@cert/core';
import { partsToRemove, withQueues } from './queues.js';

/**
 * Removes a submission from Redis, with its jobs and results, also one that is damaged.
 *
 * @param redis the URL of the server
 * @throws CertError `in-use` while a worker is at one of its jobs, `bad-argument` for an unknown ID, `no-network` if Redis cannot be reached
 */
export const removeSubmission = (redis: string, id: string): Promise<void> =>
  withQueues(redis, async (queues) => {
    for (const part of await partsToRemove(queues, id)) {
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

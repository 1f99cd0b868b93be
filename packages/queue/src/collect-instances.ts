import { CertError } from '@cert/core';
import { incomplete } from './incomplete.js';
import {
  INSTANCES,
  type InstanceResult,
  isInstanceResult,
  type QueuedInstance,
  type QueuedInstances,
} from './instances.js';
import { partsOf, withQueues } from './queues.js';
import { checkedJobs } from './results.js';
import { statusOf } from './status.js';
import { readPart } from './work.js';

/** What {@link collectInstances} found. */
export interface CollectedInstances {
  /** The instances that are in the queue, in the order of the list. */
  readonly instances: readonly QueuedInstance[];
  /** How they are verified. */
  readonly settings: QueuedInstances['settings'];
  /** Of the `cert` that submitted them, and of the workers. */
  readonly version: string;
  /** The lines of those that have a result, by their places in the list. */
  readonly lines: ReadonlyMap<number, InstanceResult['line']>;
  /**
   * What is to be told after results of so many instances, from the queue or elsewhere, have been written to a file; undefined if that is every
   * instance of the submission, also of parts that are not in the queue.
   */
  problem(found: number, out: string): CertError | undefined;
}

/**
 * Reads the results of instances. What Redis holds is not trusted: a result is dropped that is not of one of the instances of its job, or
 * is about other files or another claim, or contradicts itself.
 *
 * @param redis the URL of the server
 * @throws CertError `bad-argument` for an unknown ID and for one of another kind; `no-network` if Redis cannot be reached
 */
export const collectInstances = (redis: string, id: string): Promise<CollectedInstances> =>
  withQueues(redis, async (queues) => {
    const parts = await partsOf(queues, id);
    const works = parts.map(({ data }) => {
      const { kind, work } = readPart(data);
      if (kind === 'instances') return INSTANCES.read(work);
      throw new CertError(
        'bad-argument',
        `The submission ${id} is of the kind ${kind}.`,
        'Give the ID of a list of instances.',
      );
    });
    const damaged: number[] = [];
    const lines = new Map<number, InstanceResult['line']>();
    for await (const { part, lines: found } of checkedJobs(parts, (job) => damaged.push(job))) {
      const work = works[part];
      for (const { line } of found) {
        if (work !== undefined && isInstanceResult(line, work)) lines.set(line.index, line.line);
      }
    }
    const instances = works.flatMap((work) => work.instances);
    const status = await statusOf(queues, id, 0);
    const { settings, version } = works[0]!;
    const alone = 'verify the rest here: cert verify --instances with the same options and this --out';
    return {
      ...{ instances, settings, version, lines },
      problem: (found, out) =>
        found === status.items ? undefined : incomplete({ status, found, damaged, out, alone }),
    };
  });

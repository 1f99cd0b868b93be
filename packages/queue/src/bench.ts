import { CertError } from '@cert/core';
import { KINDS, type KindName, type Works } from './kinds.js';
import type { Fetch, JobEvaluator, Openers } from './openers.js';
import type { Store } from './store.js';
import type { PartData, readPart } from './work.js';

/** An evaluator, for one job at a time. */
export interface Opened {
  /** The part whose jobs it computes. */
  readonly part: string;
  readonly evaluator: JobEvaluator;
  /** The item whose result a value is; undefined for none. */
  readonly itemOf: (line: unknown) => number | undefined;
}

/** Evaluators that wait for the next job of their part. */
export interface Bench {
  /** An evaluator that no other job uses. @throws what `open` throws, and the store */
  take(id: string, part: ReturnType<typeof readPart>): Promise<Opened>;
  put(opened: Opened): void;
  /** Frees an evaluator that may be damaged. */
  discard(opened: Opened): void;
  /** The error of the store that an evaluator got instead of a file; undefined for none. */
  lacking(): unknown;
  dispose(): Promise<void>;
}

/** Bytes of files that are kept for later jobs. */
const KEPT = 2 ** 29;

/** Keeps the evaluators of one part, the last one: each holds a network and its compiled functions. */
export function createBench(store: Store, open: Openers): Bench {
  let idle: Opened[] = [];
  let closed = false;
  let lacking: unknown;
  const leaving = new Set<Promise<void>>();
  const leave = ({ evaluator }: Opened) => {
    const left = evaluator.dispose().finally(() => leaving.delete(left));
    leaving.add(left);
  };
  const kept = keepFiles(store);
  const fetch: Fetch = (sha256) =>
    kept(sha256).catch((error: unknown) => {
      lacking = error;
      throw error;
    });
  async function openPart<K extends KindName>(id: string, kind: K, value: unknown): Promise<Opened> {
    const { read, itemOf } = KINDS[kind];
    const work: Works[K] = read(value);
    const opener = open[kind];
    if (opener === undefined) {
      throw new CertError(
        'bad-argument',
        `The queue holds work of the kind ${kind}, which this worker does not compute.`,
        'Install the same version of @cert/cli and @cert/queue on all machines.',
      );
    }
    const evaluator = await opener(work, fetch);
    return { part: id, evaluator, itemOf: (line) => itemOf(line, work) };
  }
  return {
    async take(id, { kind, work }: Pick<PartData, 'kind'> & { readonly work: unknown }) {
      const own = idle.find(({ part }) => part === id);
      const others = idle.filter(({ part }) => part !== id);
      idle = idle.filter((one) => one.part === id && one !== own);
      for (const one of others) leave(one);
      return own ?? openPart(id, kind, work);
    },
    put(opened) {
      if (closed) leave(opened);
      else idle.push(opened);
    },
    discard: leave,
    lacking: () => lacking,
    async dispose() {
      closed = true;
      for (const one of idle.splice(0)) leave(one);
      await Promise.allSettled(leaving);
    },
  };
}

/** Reads files of a store, and keeps the last ones: each travels once, unless jobs need more than {@link KEPT} bytes in turns. */
function keepFiles(store: Store): Fetch {
  const files = new Map<string, Promise<Uint8Array>>();
  const sizes = new Map<string, number>();
  return async (sha256) => {
    const known = files.get(sha256) ?? store.get(sha256);
    // The last one that was asked for is the last one to go.
    files.delete(sha256);
    files.set(sha256, known);
    try {
      const bytes = await known;
      sizes.set(sha256, bytes.length);
      return bytes;
    } catch (error) {
      files.delete(sha256);
      throw error;
    } finally {
      let sum = [...files.keys()].reduce((all, name) => all + (sizes.get(name) ?? 0), 0);
      for (const name of files.keys()) {
        if (sum <= KEPT || name === sha256) break;
        sum -= sizes.get(name) ?? 0;
        files.delete(name);
      }
    }
  };
}

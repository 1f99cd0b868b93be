import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { CertError } from '@cert/core';

/**
 * Acquires a lock for this process: a file with process id and host name. A lock of a process that has ended is taken over.
 *
 * @param path of the lock file, in a folder that exists
 * @param what name of the locked resource, for the message: "the run runs/mine"
 * @returns a function that releases the lock; safe to call twice
 * @throws CertError `in-use` if another process holds the lock, naming that process; `bad-file` if the file cannot be written
 */
export async function lockFile(path: string, what: string): Promise<() => Promise<void>> {
  const id = randomUUID();
  const own = JSON.stringify({ pid: process.pid, host: hostname(), started: performance.timeOrigin, id });
  // A lock is a hard link to this file: nobody ever reads half a lock.
  const draft = `${path}.${id}.tmp`;
  const take = (file: string) =>
    link(draft, file).then(
      () => true,
      (cause: NodeJS.ErrnoException) => {
        if (cause.code === 'EEXIST') return false;
        throw cause;
      },
    );
  // Only who holds this second lock removes a lock that is left over, so that nobody removes one that was just taken.
  const guard = `${path}.takeover`;

  try {
    await writeFile(draft, own);
    while (!(await take(path))) {
      const left = await read(path);
      if (left === undefined) continue;
      const owner = livingOwner(left);
      if (owner !== undefined) throw inUse(path, what, owner);
      if (await take(guard)) {
        if ((await read(path)) === left) await rm(path, { force: true });
        await rm(guard, { force: true });
        continue;
      }
      // Another process takes over at this moment. One that ended in between has to be removed by hand.
      const other = await read(guard);
      if (other !== undefined && livingOwner(other) === undefined) throw inUse(guard, what, parseOwner(other));
    }
  } catch (cause) {
    if (cause instanceof CertError) throw cause;
    throw new CertError(
      'bad-file',
      `The lock ${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`,
      'Check that the folder is writable.',
      { cause },
    );
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
  return async () => {
    if ((await read(path)) === own) await rm(path, { force: true });
  };
}

/** A process that holds a lock. */
export interface LockOwner {
  /** Its id. */
  readonly pid: number;
  /** The name of its machine. */
  readonly host: string;
}

/**
 * Returns the process that holds a lock of {@link lockFile}.
 *
 * @returns `undefined` for a lock that does not exist or can be taken over
 */
export async function lockOwner(path: string): Promise<LockOwner | undefined> {
  const text = await read(path);
  return text === undefined ? undefined : livingOwner(text);
}

const read = (file: string) => readFile(file, 'utf8').catch(() => undefined);

/** The owner that a lock names, while it must be respected: it runs, or nobody here can know. */
function livingOwner(text: string): LockOwner | undefined {
  const owner = parseOwner(text);
  return owner !== undefined && (owner.host !== hostname() || isRunning(owner)) ? owner : undefined;
}

/** Whether the owner of a lock, of this machine, runs. In a container each process may have the id of the one before it: this one too. */
const isRunning = ({ pid, started }: RecordedOwner) =>
  isAlive(pid) && (pid !== process.pid || started === undefined || started === performance.timeOrigin);

/** What a lock says of its owner. */
interface RecordedOwner extends LockOwner {
  /** When it began, in milliseconds. Locks of earlier versions do not say. */
  readonly started?: number | undefined;
}

function parseOwner(text: string): RecordedOwner | undefined {
  try {
    const { pid, host, started } = (JSON.parse(text) ?? {}) as Partial<RecordedOwner>;
    return typeof host === 'string' && Number.isSafeInteger(pid) && pid! > 0 ? { pid: pid!, host, started } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process of this machine runs. One of another user counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const inUse = (path: string, what: string, owner?: LockOwner) =>
  new CertError(
    'in-use',
    owner === undefined
      ? `${what} is used by another process.`
      : `${what} is used by process ${owner.pid} on ${owner.host}.`,
    `Wait until the process ends, or stop it. If the process no longer exists, remove ${path}.`,
  );

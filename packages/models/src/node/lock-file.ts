import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { CertError } from '@cert/core';

/**
 * Takes a lock for this process: a file with the process id and the name of the machine. A lock whose process has ended is taken over.
 *
 * @param path of the lock file, in a folder that exists
 * @param what is locked, for the message: "the run runs/mine"
 * @returns gives the lock back; safe to call twice
 * @throws CertError `in-use` when another process holds it, naming that process; `bad-file` when the file cannot be written
 */
export async function lockFile(path: string, what: string): Promise<() => Promise<void>> {
  const id = randomUUID();
  const own = JSON.stringify({ pid: process.pid, host: hostname(), id });
  // A lock is a hard link to this file: nobody ever reads half a lock.
  const draft = `${path}.${id}.tmp`;
  const read = (file: string) => readFile(file, 'utf8').catch(() => undefined);
  const take = (file: string) =>
    link(draft, file).then(
      () => true,
      (cause: NodeJS.ErrnoException) => {
        if (cause.code === 'EEXIST') return false;
        throw cause;
      },
    );
  /** The owner that a lock names, while it must be respected: it runs, or nobody here can know. */
  const livingOwner = (text: string): Owner | undefined => {
    const owner = parseOwner(text);
    return owner !== undefined && (owner.host !== hostname() || isAlive(owner.pid)) ? owner : undefined;
  };
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
      'Check that the folder may be written.',
      { cause },
    );
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
  return async () => {
    if ((await read(path)) === own) await rm(path, { force: true });
  };
}

interface Owner {
  readonly pid: number;
  readonly host: string;
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host } = (JSON.parse(text) ?? {}) as Partial<Owner>;
    return typeof host === 'string' && Number.isSafeInteger(pid) && pid! > 0 ? { pid: pid!, host } : undefined;
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

const inUse = (path: string, what: string, owner?: Owner) =>
  new CertError(
    'in-use',
    owner === undefined
      ? `${what} is used by another process.`
      : `${what} is used by process ${owner.pid} on ${owner.host}.`,
    `Wait until it has ended, or stop it. If no such process works there, remove ${path}.`,
  );

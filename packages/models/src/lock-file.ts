import { CertError } from '@cert/core';

/**
 * Takes a lock for this process: a file with the process id and the name of the machine. A lock whose process has ended is taken over. Needs
 * Node.
 *
 * @param path of the lock file, in a folder that exists
 * @param what is locked, for the message: "the run runs/mine"
 * @returns gives the lock back; safe to call twice
 * @throws CertError `in-use` when another process holds it, naming that process; `bad-file` when the file cannot be written
 */
export async function lockFile(path: string, what: string): Promise<() => Promise<void>> {
  const { link, readFile, rename, rm, writeFile } = await import('node:fs/promises');
  const { hostname } = await import('node:os');
  const { randomUUID } = await import('node:crypto');
  const own = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  const read = () => readFile(path, 'utf8').catch(() => undefined);
  // Linked into place, so that nobody ever reads half a lock.
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    for (;;) {
      await writeFile(draft, own);
      const taken = await link(draft, path).then(
        () => true,
        (cause: NodeJS.ErrnoException) => {
          if (cause.code === 'EEXIST') return false;
          throw cause;
        },
      );
      if (taken) break;
      const text = await read();
      if (text === undefined) continue;
      const owner = parseOwner(text);
      if (owner !== undefined && (owner.host !== hostname() || isAlive(owner.pid))) throw inUse(path, what, owner);
      // Whoever renames it away first may try again; a lock that came in between is put back.
      await rename(path, draft).catch(() => {});
      if ((await readFile(draft, 'utf8').catch(() => own)) === text) continue;
      await link(draft, path).catch(() => {});
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
    if ((await read()) === own) await rm(path, { force: true });
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

const inUse = (path: string, what: string, { pid, host }: Owner) =>
  new CertError(
    'in-use',
    `${what} is used by process ${pid} on ${host}.`,
    `Wait until it has ended, or stop it. If no such process works there, remove ${path}.`,
  );
